"""What breaks the product during a run: each kind of fault is one function, fired by the schedule and counted.

A fault that lasts is ended by a later entry of the same agenda, so that others fall into its time.
"""

import heapq
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from random import Random
from typing import Any

import psutil
import psycopg
import redis

from outbox.bell import BELL_KEY, STANDING_KEY
from outbox.relay import RELAY_LOCK

from .history import History
from .product import Product
from .schedule import Fault
from .servers import Child
from .web_client import Line

QUEUE_KEY = "rq:queue:delivery"
SEARCH_SECONDS = 10.0
UNFLUSHED_SECONDS = 0.4
REPEATED = 40
AWAY = (psycopg.Error, redis.RedisError, psutil.Error, OSError)

RELAY = f"""
SELECT pid, client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
 WHERE locktype = 'advisory' AND classid::bigint = {RELAY_LOCK} AND objid = 0 AND granted AND client_port IS NOT NULL
"""
AGAIN_SECONDS = 0.25
SESSIONS = """
SELECT pid FROM pg_stat_activity
 WHERE datname = 'orders' AND backend_type = 'client backend' AND application_name <> 'torture' ORDER BY pid
"""
OTHER_TABLE = "CREATE TABLE IF NOT EXISTS held (at timestamptz)"
VIEW = """
CREATE MATERIALIZED VIEW IF NOT EXISTS torture_view AS
SELECT event_type, count(*), sum(length(payload::text)) FROM event_log GROUP BY 1
"""


class Nemesis(threading.Thread):
    """Fires the faults of a schedule, one at a time."""

    def __init__(
        self,
        product: Product,
        faults: Sequence[Fault],
        begins_at: float,
        stopping: threading.Event,
        history: History,
        line: Callable[[], Line],
    ) -> None:
        super().__init__(name="nemesis", daemon=True)
        self.product = product
        self.children = product.children
        self.begins_at, self.stopping = begins_at, stopping
        self.history, self.line = history, line
        self.fired: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.log: list[str] = []
        self.failure: BaseException | None = None
        self._number = count()
        self._agenda = [(fault.at, next(self._number), fault.kind, self._act(fault)) for fault in faults]
        self._undo: dict[int, Callable[[], None]] = {}
        heapq.heapify(self._agenda)

    def run(self) -> None:
        """Fire until the run ends, then undo whatever still lasts."""
        try:
            while self._agenda and not self.stopping.is_set():
                at, _, kind, act = heapq.heappop(self._agenda)
                if self.stopping.wait(max(0.0, self.begins_at + at - time.time())):
                    break
                if not self._fire(kind, act):
                    # Not at once: what ends before it may be what it waits for.
                    again_at = time.time() - self.begins_at + AGAIN_SECONDS
                    heapq.heappush(self._agenda, (again_at, next(self._number), kind, act))
        except BaseException as error:  # noqa: BLE001 – the run must know
            self.failure = error
        finally:
            self.heal()

    def heal(self) -> None:
        """End what lasts."""
        for undo in list(self._undo.values()):
            with suppress(*AWAY):
                undo()
        self._undo.clear()

    def _fire(self, kind: str, act: Callable[[], bool]) -> bool:
        """Do what a fault is; false when it found a server away, because of the fault before it, and comes again."""
        began = time.time()
        try:
            with self.children.lock:
                has_fired = act()
        except AWAY as error:
            self.log.append(f"{kind or 'an end'} found nobody: {error}")
            return not kind  # what was to end has ended with the server
        if kind:
            (self.fired if has_fired else self.missed)[kind] += 1
            self.log.append(
                f"{began - self.begins_at:8.2f} s {kind} {'fired' if has_fired else 'missed'}"
                f" in {time.time() - began:.2f} s"
            )
        return True

    def _act(self, fault: Fault) -> Callable[[], bool]:
        return lambda: bool(getattr(self, fault.kind)(fault, Random(fault.aim)))

    def _lasts(self, fault: Fault, undo: Callable[[], None]) -> None:
        """See to it that a fault ends after its time, or with the run."""
        number = next(self._number)
        self._undo[number] = undo

        def end() -> bool:
            self._undo.pop(number)()
            return True

        heapq.heappush(self._agenda, (time.time() - self.begins_at + fault.seconds, number, "", end))

    # Processes.

    def kill_web(self, fault: Fault, random: Random) -> bool:
        """Kill all web processes, or one of them, whose master then starts another."""
        (web,) = self.children.named("web")
        workers = psutil.Process(web.pid).children()
        if workers and random.random() < 0.5:
            random.choice(workers).kill()
        else:
            web.kill()
            web.start()
        return True

    def restart_web(self, fault: Fault, random: Random) -> bool:
        """Let the web processes be replaced one after another, as for a new release."""
        (web,) = self.children.named("web")
        os.kill(web.pid, signal.SIGHUP)
        return True

    def kill_worker(self, fault: Fault, random: Random) -> bool:
        """Kill a worker."""
        return self._kill_child(random.choice(self.children.named("worker")))

    def kill_publishers(self, fault: Fault, random: Random) -> bool:
        """Kill a process that publishes, perhaps between a webhook and the checkpoint: then it comes again."""
        return self._kill_child(random.choice(self.children.named("publishers")))

    def kill_receiver(self, fault: Fault, random: Random) -> bool:
        """Kill the receiver of webhooks, perhaps between taking one and answering: then it comes again."""
        return self._kill_child(*self.children.named("receiver"))

    def silence_receiver(self, fault: Fault, random: Random) -> bool:
        """Let the receiver of webhooks take connections and answer nothing."""
        (receiver,) = self.children.named("receiver")
        receiver.signal(signal.SIGSTOP)
        self._lasts(fault, lambda: receiver.signal(signal.SIGCONT))
        return True

    def kill_relay(self, fault: Fault, random: Random) -> bool:
        """Kill the worker whose session holds the relay's lock at that moment."""
        deadline = time.monotonic() + SEARCH_SECONDS
        workers = {port: child for child in self.children.named("worker") for port in _ports(child)}
        with self.product.servers.connect() as connection:
            while time.monotonic() < deadline:
                for _, port in connection.execute(RELAY, prepare=True).fetchall():
                    if port in workers:
                        return self._kill_child(workers[port])
        return False

    def stop_worker(self, fault: Fault, random: Random) -> bool:
        """Stop a worker for a while, so that it becomes a zombie that believes itself alive."""
        worker = random.choice(self.children.named("worker"))
        worker.signal(signal.SIGSTOP)
        self._lasts(fault, lambda: worker.signal(signal.SIGCONT))
        return True

    def _kill_child(self, child: Child) -> bool:
        child.kill()
        child.start()
        return True

    # PostgreSQL.

    def kill_postgres(self, fault: Fault, random: Random) -> bool:
        """Kill the server with all its processes, and start it again."""
        self.product.servers.kill_postgres()
        self.product.servers.start_postgres()
        return True

    def kill_postgres_unflushed(self, fault: Fault, random: Random) -> bool:
        """Kill it while no worker is at work, so that nobody's commit has flushed what a command left in memory."""
        workers = self.children.named("worker")
        for worker in workers:
            worker.signal(signal.SIGSTOP)
        try:
            time.sleep(UNFLUSHED_SECONDS)
            return self.kill_postgres(fault, random)
        finally:
            for worker in workers:
                worker.signal(signal.SIGCONT)

    def terminate_sessions(self, fault: Fault, random: Random) -> bool:
        """End half of the sessions, whoever they belong to."""
        deadline, pids = time.monotonic() + SEARCH_SECONDS, []
        with self.product.servers.connect() as connection:
            while not pids and time.monotonic() < deadline:  # none for a moment after a start of the server
                pids = [pid for (pid,) in connection.execute(SESSIONS).fetchall()]
            for pid in random.sample(pids, (len(pids) + 1) // 2):
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        return bool(pids)

    def hold_transaction(self, fault: Fault, random: Random) -> bool:
        """Hold a transaction that has written open, in another database."""
        other = self.product.servers.connect("postgres")
        other.execute(OTHER_TABLE)
        other.execute("BEGIN")
        other.execute("INSERT INTO held SELECT now()")
        self._lasts(fault, other.close)
        return True

    def refresh_view(self, fault: Fault, random: Random) -> bool:
        """Refresh a materialized view of the log, again and again."""
        with self.product.servers.connect() as connection:
            connection.execute(VIEW)
        is_over = threading.Event()
        loop = threading.Thread(target=self._refresh, args=(is_over,), daemon=True)
        loop.start()

        def end() -> None:
            is_over.set()
            loop.join()

        self._lasts(fault, end)
        return True

    def _refresh(self, is_over: threading.Event) -> None:
        while not is_over.is_set():
            with suppress(*AWAY), self.product.servers.connect() as connection:
                while not is_over.is_set():
                    connection.execute("REFRESH MATERIALIZED VIEW torture_view")
            is_over.wait(0.2)

    # Redis and the bell.

    def kill_redis(self, fault: Fault, random: Random) -> bool:
        """Kill it, and start it again with what it saved."""
        self.product.servers.kill_valkey()
        self.product.servers.start_valkey()
        return True

    def silence_redis(self, fault: Fault, random: Random) -> bool:
        """Stop it, so that it takes connections and answers nothing."""
        server = self.product.servers.valkey()
        if server is None:
            return False
        server.process.suspend()
        self._lasts(fault, server.process.resume)
        return True

    def flush_redis(self, fault: Fault, random: Random) -> bool:
        """Forget every job and every bell."""
        with self.product.servers.redis() as client:
            return bool(client.flushall())

    def drop_bells(self, fault: Fault, random: Random) -> bool:
        """Lose the bells and the jobs that wait."""
        with self.product.servers.redis() as client:
            client.delete(BELL_KEY, QUEUE_KEY)
            if random.random() < 0.5:  # a job stands, as everybody believes
                client.set(STANDING_KEY, "1", ex=5)
        return True

    # Duplicates.

    def repeat_requests(self, fault: Fault, random: Random) -> bool:
        """Send requests that were answered once more, in another order."""
        answered = [each for each in self.history.finished() if not each.is_direct and not each.is_changed]
        line = self.line()
        for request in random.sample(answered, min(REPEATED, len(answered))):
            line.ask(request)
        line.close()
        return bool(answered)


def _ports(child: Child) -> list[int]:
    """List the ports of a process's own ends of its connections."""
    with suppress(psutil.Error):
        found: list[Any] = psutil.Process(child.pid).net_connections("tcp")
        return [each.laddr.port for each in found]
    return []
