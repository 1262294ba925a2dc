"""The nemesis fires what it can, and comes again for what it could not."""

import threading
import time
from random import Random
from types import SimpleNamespace
from typing import Any

import redis

from .nemesis import Nemesis
from .schedule import Fault


class Silence(Nemesis):
    """Knows two faults, of which the second cannot be while the first lasts."""

    is_silent = False

    def silence_redis(self, fault: Fault, random: Random) -> bool:
        self.is_silent = True
        self._lasts(fault, lambda: setattr(self, "is_silent", False))
        return True

    def flush_redis(self, fault: Fault, random: Random) -> bool:
        if self.is_silent:
            raise redis.TimeoutError
        return True


def nemesis(*faults: Fault) -> Silence:
    product: Any = SimpleNamespace(children=SimpleNamespace(lock=threading.RLock()))
    nobody: Any = None
    return Silence(product, faults, time.time(), threading.Event(), nobody, nobody)


def test_a_fault_that_finds_nobody_comes_again_after_the_fault_that_is_in_its_way_has_ended() -> None:
    one = nemesis(
        Fault(at=0, kind="silence_redis", seconds=0.1, aim=0),
        Fault(at=0.01, kind="flush_redis", seconds=0, aim=0),
    )

    one.start()
    one.join(10)

    assert one.fired == {"silence_redis": 1, "flush_redis": 1}
    assert not one.is_silent


def test_what_lasts_is_ended_with_the_run() -> None:
    one = nemesis(
        Fault(at=0, kind="silence_redis", seconds=1000, aim=0),
        Fault(at=0.01, kind="flush_redis", seconds=0, aim=0),
    )

    one.start()
    while not one.is_silent:
        time.sleep(0.001)
    one.stopping.set()
    one.join(10)

    assert not one.is_silent
