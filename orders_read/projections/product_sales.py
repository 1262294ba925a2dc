"""What each product sold: one row per SKU, those that the catalogue never knew included."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="product_sales",
    version=1,
    question="What did this product sell, and what came back of it?",
    tables=(
        Table(
            name="product_sales",
            # `named_at` is the position of the event that said name and category: a parked one may come late.
            columns_ddl="""
                sku             text    NOT NULL COLLATE "C" PRIMARY KEY,
                name            text    NOT NULL,
                category        text    NOT NULL,
                orders          bigint  NOT NULL,
                lines           bigint  NOT NULL,
                units           bigint  NOT NULL,
                gross           numeric NOT NULL,
                credit_notes    bigint  NOT NULL,
                units_returned  bigint  NOT NULL,
                returned        numeric NOT NULL,
                units_cancelled bigint  NOT NULL,
                cancelled       numeric NOT NULL,
                row_version     bigint  NOT NULL,
                named_at        bigint  NOT NULL
            """,
            fold=fold("product_sales"),
            fillfactor=70,
        ),
    ),
)
