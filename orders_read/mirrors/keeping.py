"""Keep mirrors: a chore that brings to them what changed behind the log's back, and builds anew what was lost.

It works in slices, so that a worker's other chores have their turn; whoever comes next goes on with a build.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

import psycopg

from outbox import actions
from outbox.publishers import breaker

from ..stores.choice import all_chosen
from ..stores.contract import StoreUnavailable
from . import building, record
from .building import Work, alone
from .exceptions import MirrorError
from .touching import refresh

SLICE_SECONDS = 2.0
ACTOR = "worker:mirrors"

logger = logging.getLogger(__name__)

_troubles: dict[str, str] = {}  # each is logged once, not at every run


def keep_mirrors(connection: psycopg.Connection[Any], is_stopping: Callable[[], bool]) -> int:
    """Do what each mirror of the settings needs that was ever built; return how many documents were written."""
    written = 0
    for mirror in all_chosen():
        if is_stopping():
            break
        try:
            with alone(connection, mirror):
                written += _keep(Work(connection=connection, mirror=mirror, is_stopping=is_stopping))
        except (MirrorError, StoreUnavailable) as error:
            if _troubles.get(mirror.subscriber) != str(error):
                logger.warning("%s is not kept for now: %s", mirror.subscriber, error)
            _troubles[mirror.subscriber] = str(error)
        else:
            _troubles.pop(mirror.subscriber, None)
    return written


def _keep(work: Work) -> int:
    found = record.generations(work.connection, work.mirror.subscriber)
    if not found:
        return 0  # nobody has built it
    was_lost = building.give_up_lost(work)
    breaker.release_trial(work.connection, work.mirror.subscriber)  # the store has just answered
    if not was_lost and not _is_replaced(work) and record.one_in_state(found, "building") is None:
        written = refresh(work.connection, work.mirror, work.is_stopping)
        building.drop_retired(work)
        return written
    return _go_on_building(work)


def _go_on_building(work: Work) -> int:
    build = building.unfinished(work) or building.begin(work)
    if not building.copy(work, build, time.monotonic() + SLICE_SECONDS):
        return 0
    building.finish(work, build)
    actions.record(
        work.connection, ACTOR, "rebuild_mirror", work.mirror.subscriber, generation=build.generation
    )
    return 0


def _is_replaced(work: Work) -> bool:
    """Tell whether the read model shows another generation than the mirror was made from, or there is no mirror."""
    live = record.one_in_state(record.generations(work.connection, work.mirror.subscriber), "live")
    source = record.live_source(work.connection, work.mirror.read_model)
    return live is None or (source is not None and live.source_generation != source)
