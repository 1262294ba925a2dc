-- Writes what a batch of commands changed: `changes` holds a list of rows per table, and an absent list costs nothing.
-- Rows come before those that refer to them. The settings keep plans by index: the lists are short and are taken for
-- long ones. A change of this file needs a migration that runs it again.
CREATE OR REPLACE FUNCTION save_batch(changes jsonb) RETURNS void LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
BEGIN
    IF changes ? 'new_products' THEN
        INSERT INTO products (product_id, sku, name, category, price, retired, version, last_message_id)
        SELECT * FROM jsonb_to_recordset(changes -> 'new_products') AS row (
            product_id bigint, sku text, name text, category text, price numeric, retired boolean, version bigint,
            last_message_id bigint);
        INSERT INTO stock (product_id, on_hand, reserved)
        SELECT * FROM jsonb_to_recordset(changes -> 'new_products') AS row (
            product_id bigint, on_hand bigint, reserved bigint);
    END IF;
    IF changes ? 'products' THEN
        UPDATE products SET price = row.price, retired = row.retired, version = row.version,
               last_message_id = row.last_message_id
          FROM jsonb_to_recordset(changes -> 'products') AS row (
            product_id bigint, price numeric, retired boolean, version bigint, last_message_id bigint)
         WHERE products.product_id = row.product_id;
    END IF;
    IF changes ? 'stock_moves' THEN
        UPDATE stock SET on_hand = stock.on_hand + row.on_hand, reserved = stock.reserved + row.reserved
          FROM jsonb_to_recordset(changes -> 'stock_moves') AS row (product_id bigint, on_hand bigint, reserved bigint)
         WHERE stock.product_id = row.product_id;
    END IF;
    IF changes ? 'new_accounts' THEN
        INSERT INTO credit_accounts (user_id, "limit", used, version, last_message_id)
        SELECT * FROM jsonb_to_recordset(changes -> 'new_accounts') AS row (
            user_id bigint, "limit" numeric, used numeric, version bigint, last_message_id bigint);
    END IF;
    IF changes ? 'credit_limits' THEN
        UPDATE credit_accounts SET "limit" = row."limit", used = row.used, version = row.version,
               last_message_id = row.last_message_id
          FROM jsonb_to_recordset(changes -> 'credit_limits') AS row (
            user_id bigint, "limit" numeric, used numeric, version bigint, last_message_id bigint)
         WHERE credit_accounts.user_id = row.user_id;
    END IF;
    IF changes ? 'credit_uses' THEN
        UPDATE credit_accounts SET used = row.used
          FROM jsonb_to_recordset(changes -> 'credit_uses') AS row (user_id bigint, used numeric)
         WHERE credit_accounts.user_id = row.user_id;
    END IF;
    IF changes ? 'new_orders' THEN
        INSERT INTO orders (order_id, user_id, source, reference, status, total, paid, returned, currency, on_credit,
            created_at, ship_name, ship_street, ship_postcode, ship_city, ship_country, ship_email, version,
            last_message_id)
        SELECT * FROM jsonb_to_recordset(changes -> 'new_orders') AS row (
            order_id bigint, user_id bigint, source text, reference text, status text, total numeric, paid numeric,
            returned numeric, currency text, on_credit boolean, created_at timestamptz, ship_name text,
            ship_street text, ship_postcode text, ship_city text, ship_country text, ship_email text,
            version bigint, last_message_id bigint);
    END IF;
    IF changes ? 'new_items' THEN
        INSERT INTO order_items (order_id, line_no, product_id, qty, price, returned_qty)
        SELECT * FROM jsonb_to_recordset(changes -> 'new_items') AS row (
            order_id bigint, line_no integer, product_id bigint, qty integer, price numeric, returned_qty integer);
    END IF;
    IF changes ? 'orders' THEN
        UPDATE orders SET status = row.status, paid = row.paid, returned = row.returned, version = row.version,
               last_message_id = row.last_message_id
          FROM jsonb_to_recordset(changes -> 'orders') AS row (
            order_id bigint, status text, paid numeric, returned numeric, version bigint, last_message_id bigint)
         WHERE orders.order_id = row.order_id;
    END IF;
    IF changes ? 'erased_orders' THEN
        UPDATE orders SET ship_name = '', ship_street = '', ship_postcode = '', ship_city = '', ship_email = '',
               status = row.status, paid = row.paid, returned = row.returned, version = row.version,
               last_message_id = row.last_message_id
          FROM jsonb_to_recordset(changes -> 'erased_orders') AS row (
            order_id bigint, status text, paid numeric, returned numeric, version bigint, last_message_id bigint)
         WHERE orders.order_id = row.order_id;
    END IF;
    IF changes ? 'items' THEN
        UPDATE order_items SET returned_qty = row.returned_qty
          FROM jsonb_to_recordset(changes -> 'items') AS row (order_id bigint, line_no integer, returned_qty integer)
         WHERE order_items.order_id = row.order_id AND order_items.line_no = row.line_no
           AND order_items.returned_qty <> row.returned_qty;
    END IF;
    IF changes ? 'payments' THEN
        INSERT INTO payments (order_id, kind, amount, reference, method, created_at)
        SELECT * FROM jsonb_to_recordset(changes -> 'payments') AS row (
            order_id bigint, kind text, amount numeric, reference text, method text, created_at timestamptz);
    END IF;
    IF changes ? 'credit_notes' THEN
        INSERT INTO credit_notes (credit_note_id, user_id, source, reference, country, currency, total, reason,
            created_at, version, last_message_id)
        SELECT * FROM jsonb_to_recordset(changes -> 'credit_notes') AS row (
            credit_note_id bigint, user_id bigint, source text, reference text, country text, currency text,
            total numeric, reason text, created_at timestamptz, version bigint, last_message_id bigint);
    END IF;
    IF changes ? 'credit_note_lines' THEN
        INSERT INTO credit_note_lines (credit_note_id, line_no, order_id, order_line_no, product_id, sku, qty, price)
        SELECT * FROM jsonb_to_recordset(changes -> 'credit_note_lines') AS row (
            credit_note_id bigint, line_no integer, order_id bigint, order_line_no integer, product_id bigint,
            sku text, qty integer, price numeric);
    END IF;
    IF changes ? 'answers' THEN
        INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body)
        SELECT scope, key, decode(fingerprint, 'hex'), status, headers, body
          FROM jsonb_to_recordset(changes -> 'answers') AS row (
            scope text, key text, fingerprint text, status smallint, headers jsonb, body text);
    END IF;
END $$;
