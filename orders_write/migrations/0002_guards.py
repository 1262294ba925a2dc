"""What Django's models cannot say: triggers behind every aggregate, the key claim, a composite foreign key."""

from django.db import migrations

AGGREGATES = [
    ("orders", "order", "order_id"),
    ("products", "product", "product_id"),
    ("credit_accounts", "credit_account", "user_id"),
    ("credit_notes", "credit_note", "credit_note_id"),
]

GUARD = """
CREATE CONSTRAINT TRIGGER {table}_need_event AFTER INSERT OR UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION outbox_require_message('{aggregate_type}', '{key}');
CREATE TRIGGER {table}_stay BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION outbox_refuse_removal();
CREATE TRIGGER {table}_stay_whole BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_refuse_removal();
"""

UNGUARD = """
DROP TRIGGER {table}_need_event ON {table};
DROP TRIGGER {table}_stay ON {table};
DROP TRIGGER {table}_stay_whole ON {table};
"""

# Opening and using credit is no event of the account: `used` moves with the events of orders, so only a change of the
# limit must carry one. Orders, products and credit notes must carry one for every change.
CREDIT_ACCOUNTS = """
DROP TRIGGER credit_accounts_need_event ON credit_accounts;
CREATE CONSTRAINT TRIGGER credit_accounts_need_event AFTER INSERT OR UPDATE OF "limit", version, last_message_id
    ON credit_accounts DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION outbox_require_message('credit_account', 'user_id');
"""

CREDITED_LINE = """
ALTER TABLE credit_note_lines ADD CONSTRAINT credit_note_lines_order_line
    FOREIGN KEY (order_id, order_line_no) REFERENCES order_items (order_id, line_no);
"""

# hashtextextended: 64 bits; two keys that collide make one of them wait for its turn with a 409, nothing worse.
CLAIM = """
CREATE FUNCTION claim_idempotency_keys(scopes text[], keys text[]) RETURNS SETOF idempotency_keys
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM unnest(scopes, keys) AS wanted (scope, key)
      WHERE NOT pg_try_advisory_xact_lock(hashtextextended(wanted.scope || chr(31) || wanted.key, 0));
    IF FOUND THEN
        RAISE EXCEPTION 'a request with this idempotency key is still running' USING ERRCODE = 'IK409';
    END IF;
    RETURN QUERY SELECT stored.* FROM idempotency_keys AS stored
        JOIN unnest(scopes, keys) AS wanted (scope, key) ON stored.scope = wanted.scope AND stored.key = wanted.key;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("orders_write", "0001_initial"), ("outbox", "0001_initial")]
    operations = [
        *(
            migrations.RunSQL(
                GUARD.format(table=table, aggregate_type=kind, key=key), UNGUARD.format(table=table)
            )
            for table, kind, key in AGGREGATES
        ),
        migrations.RunSQL(CREDIT_ACCOUNTS, migrations.RunSQL.noop),
        migrations.RunSQL(
            CREDITED_LINE, "ALTER TABLE credit_note_lines DROP CONSTRAINT credit_note_lines_order_line"
        ),
        migrations.RunSQL(CLAIM, "DROP FUNCTION claim_idempotency_keys"),
    ]
