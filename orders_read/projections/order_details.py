"""One order with its timeline: the canonical document, from which mirrors are derived."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="order_details",
    version=1,
    question="What is in this order, and who did what with it, when?",
    tables=(
        Table(
            name="order_details",
            columns_ddl="""
                order_id    bigint NOT NULL PRIMARY KEY,
                user_id     bigint,
                document    jsonb  NOT NULL,
                row_version bigint NOT NULL
            """,
            fold=fold("order_details"),
            aggregate_type="order",
            fillfactor=70,
        ),
    ),
)
