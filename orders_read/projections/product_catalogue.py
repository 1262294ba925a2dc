"""What can be bought, at which price, and how many pieces are free."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="product_catalogue",
    version=1,
    question="What do we sell, at which price, and how much of it is free?",
    tables=(
        Table(
            name="product_catalogue",
            columns_ddl="""
                product_id  bigint  NOT NULL PRIMARY KEY,
                sku         text    COLLATE "C",
                name        text,
                category    text,
                price       numeric,
                retired     boolean,
                available   bigint  NOT NULL,
                version     bigint,
                row_version bigint  NOT NULL
            """,
            # `available` stands in no index: it changes with every order.
            indexes=(
                "CREATE UNIQUE INDEX ON {table} (sku)",
                "CREATE INDEX ON {table} USING gin ((lower(sku || ' ' || name)) gin_trgm_ops)",
            ),
            fold=fold("product_catalogue"),
            fillfactor=70,
        ),
    ),
)
