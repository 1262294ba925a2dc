-- Writes what a batch of commands changed: one JSON object with a list of rows per table; absent lists change nothing.
WITH new_products AS (
    INSERT INTO products (product_id, sku, name, category, price, retired, version, last_message_id)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'new_products') AS row (
        product_id bigint, sku text, name text, category text, price numeric, retired boolean, version bigint,
        last_message_id bigint)
), new_stock AS (
    INSERT INTO stock (product_id, on_hand, reserved)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'new_products') AS row (
        product_id bigint, on_hand bigint, reserved bigint)
), products_changed AS (
    UPDATE products SET price = row.price, retired = row.retired, version = row.version,
           last_message_id = row.last_message_id
      FROM jsonb_to_recordset($1::jsonb -> 'products') AS row (
        product_id bigint, price numeric, retired boolean, version bigint, last_message_id bigint)
     WHERE products.product_id = row.product_id
), stock_moved AS (
    UPDATE stock SET on_hand = stock.on_hand + row.on_hand, reserved = stock.reserved + row.reserved
      FROM jsonb_to_recordset($1::jsonb -> 'stock_moves') AS row (product_id bigint, on_hand bigint, reserved bigint)
     WHERE stock.product_id = row.product_id
), new_accounts AS (
    INSERT INTO credit_accounts (user_id, "limit", used, version, last_message_id)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'new_accounts') AS row (
        user_id bigint, "limit" numeric, used numeric, version bigint, last_message_id bigint)
), limits_set AS (
    UPDATE credit_accounts SET "limit" = row."limit", used = row.used, version = row.version,
           last_message_id = row.last_message_id
      FROM jsonb_to_recordset($1::jsonb -> 'credit_limits') AS row (
        user_id bigint, "limit" numeric, used numeric, version bigint, last_message_id bigint)
     WHERE credit_accounts.user_id = row.user_id
), credit_used AS (
    UPDATE credit_accounts SET used = row.used
      FROM jsonb_to_recordset($1::jsonb -> 'credit_uses') AS row (user_id bigint, used numeric)
     WHERE credit_accounts.user_id = row.user_id
), new_orders AS (
    INSERT INTO orders (order_id, user_id, source, reference, status, total, paid, returned, currency, on_credit,
        created_at, ship_name, ship_street, ship_postcode, ship_city, ship_country, ship_email, version,
        last_message_id)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'new_orders') AS row (
        order_id bigint, user_id bigint, source text, reference text, status text, total numeric, paid numeric,
        returned numeric, currency text, on_credit boolean, created_at timestamptz, ship_name text,
        ship_street text, ship_postcode text, ship_city text, ship_country text, ship_email text,
        version bigint, last_message_id bigint)
), new_items AS (
    INSERT INTO order_items (order_id, line_no, product_id, qty, price, returned_qty)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'new_items') AS row (
        order_id bigint, line_no integer, product_id bigint, qty integer, price numeric, returned_qty integer)
), orders_changed AS (
    UPDATE orders SET status = row.status, paid = row.paid, returned = row.returned, version = row.version,
           last_message_id = row.last_message_id
      FROM jsonb_to_recordset($1::jsonb -> 'orders') AS row (
        order_id bigint, status text, paid numeric, returned numeric, version bigint, last_message_id bigint)
     WHERE orders.order_id = row.order_id
), items_returned AS (
    UPDATE order_items SET returned_qty = row.returned_qty
      FROM jsonb_to_recordset($1::jsonb -> 'items') AS row (order_id bigint, line_no integer, returned_qty integer)
     WHERE order_items.order_id = row.order_id AND order_items.line_no = row.line_no
       AND order_items.returned_qty <> row.returned_qty
), new_payments AS (
    INSERT INTO payments (order_id, kind, amount, reference, method, created_at)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'payments') AS row (
        order_id bigint, kind text, amount numeric, reference text, method text, created_at timestamptz)
), new_credit_notes AS (
    INSERT INTO credit_notes (credit_note_id, user_id, source, reference, country, currency, total, reason,
        created_at, version, last_message_id)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'credit_notes') AS row (
        credit_note_id bigint, user_id bigint, source text, reference text, country text, currency text,
        total numeric, reason text, created_at timestamptz, version bigint, last_message_id bigint)
), new_credit_note_lines AS (
    INSERT INTO credit_note_lines (credit_note_id, line_no, order_id, order_line_no, product_id, sku, qty, price)
    SELECT * FROM jsonb_to_recordset($1::jsonb -> 'credit_note_lines') AS row (
        credit_note_id bigint, line_no integer, order_id bigint, order_line_no integer, product_id bigint,
        sku text, qty integer, price numeric)
)
INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body)
SELECT scope, key, decode(fingerprint, 'hex'), status, headers, body
  FROM jsonb_to_recordset($1::jsonb -> 'answers') AS row (
    scope text, key text, fingerprint text, status smallint, headers jsonb, body text)
