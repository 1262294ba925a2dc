"""A customer's dashboard: one row per user, ready to be shown."""

from outbox.subscribers import Projection, Table

from .folds import fold

projection = Projection(
    name="user_dashboard",
    version=1,
    question="How does this customer stand with us?",
    tables=(
        Table(
            name="user_dashboard",
            # `credit_limit` is NULL where no account was opened.
            columns_ddl="""
                user_id              bigint  NOT NULL PRIMARY KEY,
                customer_number      text,
                orders               bigint  NOT NULL,
                lines                bigint  NOT NULL,
                units                bigint  NOT NULL,
                spent                numeric NOT NULL,
                credit_notes         bigint  NOT NULL,
                units_returned       bigint  NOT NULL,
                returned             numeric NOT NULL,
                cancelled            numeric NOT NULL,
                paid                 numeric NOT NULL,
                open_amount          numeric NOT NULL,
                orders_confirmed     bigint  NOT NULL,
                orders_paid          bigint  NOT NULL,
                orders_shipped       bigint  NOT NULL,
                orders_delivered     bigint  NOT NULL,
                orders_cancelled     bigint  NOT NULL,
                credit_limit         numeric,
                first_order_at       timestamptz,
                last_order_at        timestamptz,
                last_order_id        bigint,
                last_order_reference text,
                row_version          bigint  NOT NULL
            """,
            fold=fold("user_dashboard"),
            fillfactor=70,
        ),
        # An event says how its order stands now; what that changes in the counts by status depends on how it stood.
        Table(
            name="user_orders",
            columns_ddl="""
                order_id    bigint  NOT NULL PRIMARY KEY,
                user_id     bigint  NOT NULL,
                status      text    NOT NULL,
                open_amount numeric NOT NULL,
                row_version bigint  NOT NULL
            """,
            fold=fold("user_orders"),
            aggregate_type="order",
            fillfactor=70,
        ),
    ),
)
