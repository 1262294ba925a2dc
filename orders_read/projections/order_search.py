"""Which orders match words and filters: one flat row per order."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="order_search",
    version=1,
    question="Which orders match these words and filters, newest first?",
    tables=(
        Table(
            name="order_search",
            columns_ddl="""
                order_id        bigint      NOT NULL PRIMARY KEY,
                user_id         bigint,
                source          text        NOT NULL,
                reference       text,
                status          text        NOT NULL,
                customer_number text,
                customer_name   text,
                country         text        NOT NULL,
                currency        text        NOT NULL,
                placed_at       timestamptz NOT NULL,
                total           numeric     NOT NULL,
                paid            numeric     NOT NULL,
                returned        numeric     NOT NULL,
                open_amount     numeric     NOT NULL,
                units           bigint      NOT NULL,
                lines           integer     NOT NULL,
                first_item      text        NOT NULL,
                words           tsvector    NOT NULL,
                version         bigint      NOT NULL,
                row_version     bigint      NOT NULL
            """,
            # The newest come first in every list. A change of status touches its index; all else is updated in place.
            indexes=(
                "CREATE INDEX ON {table} (placed_at, order_id)",
                "CREATE INDEX ON {table} (status, placed_at, order_id)",
                "CREATE INDEX ON {table} (country, placed_at, order_id)",
                "CREATE INDEX ON {table} (user_id, placed_at, order_id) WHERE user_id IS NOT NULL",
                "CREATE INDEX ON {table} (customer_number, placed_at, order_id) WHERE customer_number IS NOT NULL",
                "CREATE INDEX ON {table} (total)",
                "CREATE INDEX ON {table} (reference) WHERE reference IS NOT NULL",
                "CREATE INDEX ON {table} USING gin (words)",
            ),
            fold=fold("order_search"),
            aggregate_type="order",
            fillfactor=70,
        ),
    ),
)
