-- Locks and reads what a batch of commands needs, in one call; `needs` and the answer are the fields of Needs and Loaded.
-- Locks are taken in one order everywhere: idempotency keys, orders, credit accounts, stock; within a table by key.
-- Each statement sees what was committed before it: a product is read after its stock is locked, and whoever changes a
-- product holds that lock too. Money travels as text. A change of this file needs a migration that runs it again.
CREATE OR REPLACE FUNCTION load_batch(needs jsonb) RETURNS jsonb LANGUAGE plpgsql
    SET plan_cache_mode = force_generic_plan  -- plans by index, made once: the lists are short and are taken for long
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET enable_seqscan = off
AS $$
DECLARE
    loaded jsonb := '{}';
    wanted_skus text[] := ARRAY(SELECT jsonb_array_elements_text(needs -> 'skus'));
    wanted_users bigint[] := ARRAY(SELECT jsonb_array_elements_text(needs -> 'user_ids')::bigint);
    wanted_orders bigint[];
    wanted_products bigint[];
BEGIN
    IF needs ? 'keys' THEN
        loaded := loaded || jsonb_build_object('answers', (
            SELECT jsonb_agg(jsonb_build_object('scope', scope, 'key', key, 'fingerprint', encode(fingerprint, 'hex'),
                                                'status', status, 'headers', headers, 'body', body))
              FROM claim_idempotency_keys(
                   ARRAY(SELECT wanted ->> 'scope' FROM jsonb_array_elements(needs -> 'keys') AS wanted),
                   ARRAY(SELECT wanted ->> 'key' FROM jsonb_array_elements(needs -> 'keys') AS wanted))));
    END IF;

    IF needs ?| ARRAY['order_ids', 'order_references'] THEN
        SELECT array_agg(order_id), wanted_users || array_agg(user_id) FILTER (WHERE user_id IS NOT NULL)
          INTO wanted_orders, wanted_users
          FROM (SELECT order_id, user_id FROM orders
                 WHERE order_id IN (
                       SELECT jsonb_array_elements_text(needs -> 'order_ids')::bigint
                       UNION
                       SELECT named.order_id
                         FROM jsonb_array_elements(needs -> 'order_references') AS wanted
                         JOIN orders AS named ON named.source = wanted ->> 0 AND named.reference = wanted ->> 1)
                 ORDER BY order_id FOR NO KEY UPDATE) AS locked;
    END IF;

    IF wanted_users <> '{}' THEN
        loaded := loaded || jsonb_build_object('accounts', (
            SELECT jsonb_agg(jsonb_build_object('user_id', user_id, 'limit', "limit"::text, 'used', used::text,
                                                'version', version))
              FROM (SELECT * FROM credit_accounts WHERE user_id = ANY (wanted_users)
                     ORDER BY user_id FOR NO KEY UPDATE) AS locked));
        loaded := loaded || jsonb_build_object('customers', (
            SELECT jsonb_agg(jsonb_build_array(id, customer_number)) FROM users WHERE id = ANY (wanted_users)));
    END IF;

    IF wanted_skus <> '{}' OR wanted_orders IS NOT NULL THEN
        SELECT array_agg(product_id) INTO wanted_products
          FROM (SELECT product_id FROM stock
                 WHERE product_id IN (SELECT product_id FROM products WHERE sku = ANY (wanted_skus)
                                      UNION
                                      SELECT product_id FROM order_items WHERE order_id = ANY (wanted_orders))
                 ORDER BY product_id FOR NO KEY UPDATE) AS locked;
        loaded := loaded || jsonb_build_object('products', (
            SELECT jsonb_agg(jsonb_build_object(
                   'product_id', product_id, 'sku', sku, 'name', name, 'category', category, 'price', price::text,
                   'retired', retired, 'on_hand', on_hand, 'reserved', reserved, 'version', version))
              FROM products JOIN stock USING (product_id) WHERE product_id = ANY (wanted_products)));
    END IF;

    IF wanted_orders IS NOT NULL THEN
        loaded := loaded || jsonb_build_object('orders', (
            SELECT jsonb_agg(jsonb_build_object(
                   'order_id', order_id, 'user_id', user_id, 'customer_number', customer_number,
                   'country', ship_country, 'currency', currency, 'source', source, 'reference', reference,
                   'on_credit', on_credit, 'status', status, 'total', total::text, 'paid', paid::text,
                   'returned', returned::text, 'version', version))
              FROM orders LEFT JOIN users ON users.id = user_id WHERE order_id = ANY (wanted_orders)));
        loaded := loaded || jsonb_build_object('lines', (
            SELECT jsonb_agg(jsonb_build_object(
                   'order_id', order_id, 'line_no', line_no, 'product_id', product_id, 'sku', sku, 'name', name,
                   'category', category, 'qty', qty, 'price', order_items.price::text, 'returned', returned_qty)
                   ORDER BY order_id, line_no)
              FROM order_items JOIN products USING (product_id) WHERE order_id = ANY (wanted_orders)));
    END IF;

    IF needs ?| ARRAY['payment_references', 'new_order_references', 'new_credit_note_references'] THEN
        loaded := loaded || jsonb_build_object(
            'payment_references', (
                SELECT jsonb_agg(reference) FROM payments
                 WHERE reference IN (SELECT jsonb_array_elements_text(needs -> 'payment_references'))),
            'order_references', (
                SELECT jsonb_agg(wanted) FROM jsonb_array_elements(needs -> 'new_order_references') AS wanted
                  JOIN orders ON source = wanted ->> 0 AND reference = wanted ->> 1),
            'credit_note_references', (
                SELECT jsonb_agg(wanted) FROM jsonb_array_elements(needs -> 'new_credit_note_references') AS wanted
                  JOIN credit_notes ON source = wanted ->> 0 AND reference = wanted ->> 1));
    END IF;

    RETURN loaded || jsonb_build_object(
        'order_ids', ARRAY(SELECT nextval('orders_order_id_seq')
                             FROM generate_series(1, (needs ->> 'new_orders')::int)),
        'credit_note_ids', ARRAY(SELECT nextval('credit_notes_credit_note_id_seq')
                                   FROM generate_series(1, (needs ->> 'new_credit_notes')::int)),
        'product_ids', ARRAY(SELECT nextval('products_product_id_seq')
                               FROM generate_series(1, (needs ->> 'new_products')::int)),
        'head', (SELECT coalesce(max(position), 0) FROM event_log));
END $$;
