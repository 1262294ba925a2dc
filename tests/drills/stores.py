"""A drill of mirrors: orders and dashboards in Valkey too, which is killed, swapped under, and changed by hand."""

import json
import random
import time
from typing import Any

from orders_read.stores.contract import StoreUnavailable
from orders_read.stores.documents import DOCUMENTS
from orders_read.stores.redis import Store
from tests.drills.rebuilds import RATE, fill
from tests.drills.stage import Stage, Watcher, watched
from tests.torture.servers import manage, wait_until

KILLS = 2
AWAY_SECONDS = 3.0
ROWS = 50
SETTLED_SECONDS = 60.0
USER = "SELECT user_id FROM read_user_dashboard ORDER BY orders DESC LIMIT 1"
EPOCH = "SELECT epoch::text FROM log_epoch"
LIVE = "SELECT projection, max(generation) FROM mirror_generations WHERE state = 'live' GROUP BY 1"
FOLLOWED = """
SELECT count(*) FROM mirror_generations AS mirror JOIN projection_generations AS source USING (projection)
 WHERE mirror.state = 'live' AND source.state = 'live' AND mirror.source_generation = source.generation
"""


def stores(seconds: float) -> int:
    """Mirror read models under load, kill the store, swap their sources, plant drift; find all of it, repair it."""
    stage = Stage()
    stage.product.environment["READ_STORES_IN_REDIS"] = ",".join(DOCUMENTS)  # type: ignore[index]
    with stage:
        stage.product.children.add("publishers", *manage("run_publishers"))
        fill(stage, seconds)
        failures = [*_all(stage, "rebuild_mirror")]
        reader = _reader(stage)
        with watched([reader]):
            for _ in range(KILLS):
                failures += _kill_and_wait(stage)
            failures += _all(stage, "rebuild_projection")
            wait_until(lambda: _is_followed(stage), SETTLED_SECONDS, "the mirrors follow the swaps")
        accepted = stage.stop_commands()
        stage.wait_until_quiet()
        clean = _verify(stage)
        planted = sum(_plant(stage, name) for name in DOCUMENTS)
        found, left = _verify(stage, "--repair"), _verify(stage)
    is_sound = (
        not failures
        and not reader.wrong
        and reader.seconds
        and clean["documents_different"] == left["documents_different"] == 0
        and found["documents_different"] == found["documents_repaired"] == planted > 0
    )
    for text in [*failures, *reader.wrong[:20]]:
        print(text)
    print(
        f"{'sound' if is_sound else 'WRONG'}: {accepted} commands at {RATE}/s, the store killed {KILLS} times and "
        f"built anew, {len(DOCUMENTS)} sources swapped; "
        f"{len(reader.seconds):,} reads, {len(reader.wrong)} of them older, the longest took "
        f"{max(reader.seconds) * 1000:.0f} ms; "
        f"{clean['documents_compared']:,} documents compared, {clean['documents_different']} differ; {planted} changed "
        f"by hand, {found['documents_different']} found, {found['documents_repaired']} repaired, "
        f"{left['documents_different']} differ afterwards"
    )
    return 0 if is_sound else 1


def _all(stage: Stage, command: str) -> list[str]:
    done = [stage.manage(command, name) for name in DOCUMENTS]
    return [f"{command}: {one.stdout}{one.stderr}" for one in done if one.returncode]


def _store(stage: Stage, name: str) -> Store:
    return Store(DOCUMENTS[name], {"LOCATION": stage.product.servers.redis_url, "TIMEOUT_SECONDS": 0.05})


def _reader(stage: Stage) -> Watcher:
    """Read one customer's dashboard all the time: a version that goes back is wrong, unless PostgreSQL must answer."""
    store, ((user_id,),) = _store(stage, "user_dashboard"), stage.product.rows(USER)
    ((history,),) = stage.product.rows(EPOCH)
    newest = [0]

    def ask() -> tuple[Any, ...]:
        try:
            text, version = store.answer(user_id, None, history)
        except StoreUnavailable:
            return (newest[0],)
        before, newest[0] = newest[0], max(newest[0], version)
        return (version if text else -1, before)

    return Watcher("dashboard", ask, lambda before, answer: before is not None and answer[0] < before[0])


def _kill_and_wait(stage: Stage) -> list[str]:
    """Kill the store, leave it away for a while, and wait until it answers again, built anew."""
    before = dict(stage.product.rows(LIVE))
    stage.product.servers.kill_valkey()
    time.sleep(AWAY_SECONDS)
    stage.product.servers.start_valkey()
    ends_at = time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < ends_at:
        stage.product.children.look()  # workers may have ended with the queue's server
        live = dict(stage.product.rows(LIVE))
        if len(live) == len(DOCUMENTS) and all(live[name] > before[name] for name in live):
            return []
        time.sleep(0.2)
    return [f"the mirrors were not built anew: {stage.product.rows(LIVE)}"]


def _is_followed(stage: Stage) -> bool:
    stage.product.children.look()
    return stage.product.rows(FOLLOWED) == [(len(DOCUMENTS),)]


def _plant(stage: Stage, name: str) -> int:
    """Change documents by hand: delete some, edit others."""
    generation = dict(stage.product.rows(LIVE))[name]
    with stage.product.servers.redis() as client:
        keys = sorted(client.scan_iter(f"orders:{name}:{generation}:*", count=1_000))
        chosen = random.sample(keys, min(ROWS, len(keys)))
        for number, key in enumerate(chosen):
            client.delete(key) if number % 2 else client.hset(key, "d", json.dumps({"forged": number}))
    return len(chosen)


def _verify(stage: Stage, *arguments: str) -> dict[str, int]:
    told = []
    for name in DOCUMENTS:
        done = stage.manage("verify_mirror", name, "--json", *arguments)
        if done.returncode not in (0, 3):
            print(done.stdout, done.stderr)
        told.append(json.loads(done.stdout))
    names = ("documents_compared", "documents_different", "documents_repaired")
    return {name: sum(one[name] for one in told) for name in names}
