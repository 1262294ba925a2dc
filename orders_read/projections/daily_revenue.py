"""Revenue by day, category and country, and what happened on a day in a country."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="daily_revenue",
    version=1,
    question="What did we sell, take back and cancel, by day, category and country?",
    tables=(
        Table(
            name="daily_revenue",
            columns_ddl="""
                day             date    NOT NULL,
                category        text    NOT NULL COLLATE "C",
                country         text    NOT NULL COLLATE "C",
                lines           bigint  NOT NULL,
                units           bigint  NOT NULL,
                gross           numeric NOT NULL,
                lines_returned  bigint  NOT NULL,
                units_returned  bigint  NOT NULL,
                returned        numeric NOT NULL,
                units_cancelled bigint  NOT NULL,
                cancelled       numeric NOT NULL,
                row_version     bigint  NOT NULL,
                PRIMARY KEY (day, category, country)
            """,
            fold=fold("daily_revenue"),
            fillfactor=70,
        ),
        # An order of two categories counts once a day: so orders stand in a table without categories.
        Table(
            name="daily_orders",
            columns_ddl="""
                day           date   NOT NULL,
                country       text   NOT NULL COLLATE "C",
                orders        bigint NOT NULL,
                credit_notes  bigint NOT NULL,
                cancellations bigint NOT NULL,
                row_version   bigint NOT NULL,
                PRIMARY KEY (day, country)
            """,
            fold=fold("daily_orders"),
            fillfactor=70,
        ),
    ),
)
