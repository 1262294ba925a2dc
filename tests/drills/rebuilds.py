"""Drills of rebuilds: every read model anew under 200 commands a second, killed and resumed; and back and forth."""

import random
import time
from collections.abc import Sequence
from typing import Any

from tests.drills.stage import Stage, Watcher, watched

RATE = 200
KILLS = 3
LEAST_EVENTS = 2_000

# For each read model a question whose answer never shrinks while orders are placed, shipped and cancelled.
GROWING = {
    "order_details": "SELECT count(*) FROM read_order_details",
    "order_search": "SELECT count(*) FROM read_order_search",
    "user_dashboard": "SELECT sum(orders)::bigint FROM read_user_dashboard",
    "user_orders": "SELECT count(*) FROM read_user_orders",
    "daily_revenue": "SELECT sum(units)::bigint FROM read_daily_revenue",
    "daily_orders": "SELECT sum(orders)::bigint FROM read_daily_orders",
    "product_sales": "SELECT sum(lines)::bigint FROM read_product_sales",
    "product_catalogue": "SELECT count(*) FROM read_product_catalogue",
}
PROJECTIONS = "SELECT DISTINCT projection FROM projection_generations ORDER BY 1"


def watchers(stage: Stage) -> list[Watcher]:
    """Make a reader for each read model: an answer that is empty, or smaller than the one before, is wrong."""
    made = []
    for name, question in GROWING.items():
        connection = stage.product.servers.connect(prepare_threshold=1)
        made.append(
            Watcher(
                name,
                lambda connection=connection, question=question: connection.execute(question).fetchone(),  # type: ignore[misc]
                lambda before, answer: answer[0] is None or (before is not None and answer[0] < before[0]),
            )
        )
    return made


def rebuild(seconds: float) -> int:
    """Rebuild every read model under load, with kills at random points; at least once each, and for so long."""
    chance = random.Random()
    with Stage() as stage:
        fill(stage, seconds)
        names = [name for (name,) in stage.product.rows(PROJECTIONS)]
        readers, kills, rebuilds, failures = watchers(stage), 0, 0, []
        with watched(readers):
            for name in names:
                if kills < KILLS:
                    kills += _begin_and_kill(stage, name, chance)
                resumed = ["--resume"] if _is_unfinished(stage, name) else []
                done = stage.manage("rebuild_projection", name, "--json", *resumed)
                rebuilds += done.returncode == 0
                failures += [] if done.returncode == 0 else [f"{name}: {done.stdout}{done.stderr}"]
        accepted = stage.stop_commands()
        return _verdict(
            stage,
            readers,
            [*failures, *([] if kills >= KILLS else [f"only {kills} kills found a rebuild at work"])],
            f"{accepted} commands, {rebuilds} read models rebuilt, {kills} killed and resumed",
        )


def rollback(seconds: float) -> int:
    """Rebuild, roll back and go forward again under load."""
    with Stage() as stage:
        fill(stage, seconds)
        readers, failures, moves = watchers(stage), [], 0
        with watched(readers):
            for (name,) in stage.product.rows(PROJECTIONS):
                for command in (["rebuild_projection"], ["rollback_projection"], ["rollback_projection"]):
                    done = stage.manage(*command, name)
                    moves += done.returncode == 0
                    failures += [] if done.returncode == 0 else [f"{name}: {done.stdout}{done.stderr}"]
        accepted = stage.stop_commands()
        return _verdict(stage, readers, failures, f"{accepted} commands, {moves} swaps")


def fill(stage: Stage, seconds: float) -> None:
    """Let commands go on for so long, and at least until the log has some events."""
    stage.start_commands(RATE)
    time.sleep(seconds)
    while not stage.product.rows("SELECT FROM event_log WHERE position >= %s LIMIT 1", LEAST_EVENTS):
        time.sleep(0.2)


def _begin_and_kill(stage: Stage, name: str, chance: random.Random) -> int:
    """Start a rebuild with small steps and kill it once it has begun; 1 when it was at work."""
    process = stage.begin("rebuild_projection", name, "--batch", "50")
    for _ in range(600):
        if process.poll() is not None or _is_unfinished(stage, name):
            break
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 0.5))
    was_at_work = process.poll() is None
    process.kill()
    process.communicate()
    return int(was_at_work and _is_unfinished(stage, name))


def _is_unfinished(stage: Stage, name: str) -> bool:
    return bool(
        stage.product.rows("SELECT FROM projection_rebuilds WHERE projection = %s AND NOT is_finished", name)
    )


def _verdict(stage: Stage, readers: Sequence[Watcher], failures: Sequence[Any], figures: str) -> int:
    stage.wait_until_quiet()
    verified = stage.manage("verify_projection", "--all")
    wrong = [text for one in readers for text in one.wrong]
    took = sorted(seconds for one in readers for seconds in one.seconds)
    for text in [
        *failures,
        *wrong[:20],
        *([verified.stdout + verified.stderr] if verified.returncode else []),
    ]:
        print(text)
    is_sound = not failures and not wrong and verified.returncode == 0 and bool(took)
    print(
        f"{'sound' if is_sound else 'WRONG'}: {figures}; {len(took):,} reads, {len(wrong)} of them wrong, p50 "
        f"{took[len(took) // 2] * 1000:.1f}, p99 {took[len(took) * 99 // 100] * 1000:.1f}, "
        f"longest {took[-1] * 1000:.0f} ms; "
        f"verification {'equal' if verified.returncode == 0 else 'DIFFERENT'}"
    )
    return 0 if is_sound else 1
