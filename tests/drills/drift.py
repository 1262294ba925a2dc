"""A drill of verification: rows changed behind the back of the product are found, each of them, and repaired."""

import json
import time

from tests.drills.rebuilds import RATE, fill
from tests.drills.stage import Stage

ROWS = 50
# For each table what somebody's hand might do to some rows of it.
CHANGES = {
    "order_details": "UPDATE {table} SET document = document - 'total' WHERE order_id IN ({some})",
    "order_search": "UPDATE {table} SET total = total + 1 WHERE order_id IN ({some})",
    "user_dashboard": "UPDATE {table} SET spent = spent + 0.0001 WHERE user_id IN ({some})",
    "user_orders": "DELETE FROM {table} WHERE order_id IN ({some})",
    "daily_revenue": "UPDATE {table} SET units = units - 1 WHERE country IN ({some})",
    "daily_orders": "UPDATE {table} SET orders = orders + 1 WHERE country IN ({some})",
    "product_sales": "UPDATE {table} SET gross = 0 WHERE sku IN ({some})",
    "product_catalogue": "UPDATE {table} SET available = available - 1 WHERE product_id IN ({some})",
}
KEYS = {"user_dashboard": "user_id", "daily_revenue": "country", "daily_orders": "country", "product_sales": "sku",
        "product_catalogue": "product_id"}  # fmt: skip


def drift(seconds: float) -> int:
    """Plant drift in every table, find all of it, repair it, and find nothing more while commands go on.

    Nothing goes on while it is planted and found: a later event of an order would mend its rows before.
    """
    with Stage() as stage:
        fill(stage, seconds)
        accepted = stage.stop_commands()
        stage.wait_until_quiet()
        planted = sum(_plant(stage, table) for table in CHANGES)
        began = time.monotonic()
        found = _verify(stage, "--repair")
        took = time.monotonic() - began
        stage.start_commands(RATE)
        left = _verify(stage)
        accepted += stage.stop_commands()
    is_sound = (
        found["rows_different"] == found["rows_repaired"] == planted > 0 and left["rows_different"] == 0
    )
    print(
        f"{'sound' if is_sound else 'WRONG'}: {accepted} commands at {RATE}/s, {planted} rows changed by hand, "
        f"{found['rows_different']} found, {found['rows_repaired']} repaired in {took:.0f} s of "
        f"{found['rows_compared']:,} compared; {left['rows_different']} differ afterwards"
    )
    return 0 if is_sound else 1


def _plant(stage: Stage, table: str) -> int:
    key, name = KEYS.get(table, "order_id"), f"read_{table}_g1"
    some = f"SELECT {key} FROM {name} ORDER BY md5({key}::text) LIMIT {ROWS}"
    with stage.product.servers.connect() as connection:
        return connection.execute(CHANGES[table].format(table=name, some=some)).rowcount


def _verify(stage: Stage, *arguments: str) -> dict[str, int]:
    done = stage.manage("verify_projection", "--all", "--json", *arguments)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode not in (0, 3):
        print(done.stdout, done.stderr)
    return {
        name: sum(one[name] for one in told) for name in ("rows_compared", "rows_different", "rows_repaired")
    }
