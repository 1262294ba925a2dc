"""What `settings.OUTBOX` may say, with the defaults of what it leaves out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings of the outbox; each field is a key of `settings.OUTBOX` in upper case.

    `subscribers` are dotted paths to `Projection` objects; with no `redis_url` there is no bell; `queue` is the RQ
    queue of the drain jobs; a subscriber with work waiting counts as stalled when its checkpoint has not moved for
    `stall_seconds`; `sla_seconds` says for each subscriber, or as `default`, how old an undelivered event may be.
    `alarm_hook` is the dotted path of a function that takes an `Alarm`.

    `events` is the dotted path of a mapping from each known event type to its newest schema version; `upcasters`
    names, for each type that has older ones, the SQL function that makes version n + 1 of version n. An event that
    fails is tried `max_attempts` times in all; a subscriber that fails at more than `most_parked` aggregates stops. A
    round may take `round_timeout_seconds`, a projection that is alone in its round longer:
    `statement_timeout_seconds`.

    `publishers` names the code of each kind of subscriber outside the database; `publisher_threads` are as many of
    their partitions as are served at once by a process. `webhook_retry_seconds` are the pauses between the attempts at
    an event that an endpoint refuses, by default those that Standard Webhooks recommends; `webhook_allowed_networks`
    are private networks (CIDR) that endpoints may be in, and to which plain HTTP is allowed.
    """

    subscribers: tuple[str, ...] = ()
    redis_url: str = ""
    queue: str = "delivery"
    batch_size: int = 2_000
    relay_batch_size: int = 5_000
    partition_size: int = 1_000_000
    linger_seconds: float = 5.0
    sweep_seconds: float = 1.0
    stall_seconds: float = 60.0
    sla_seconds: Mapping[str, float] = field(default_factory=dict)
    alarm_hook: str = "outbox.alarms.log_alarm"
    events: str = ""
    upcasters: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    max_attempts: int = 5
    most_parked: int = 100
    round_timeout_seconds: float = 3.0
    statement_timeout_seconds: float = 30.0
    bell_timeout_seconds: float = 0.05
    keep_events_days: float | None = None
    publishers: Mapping[str, str] = field(default_factory=dict)
    publisher_threads: int = 8
    publisher_first_pause_seconds: float = 1.0
    publisher_longest_pause_seconds: float = 300.0
    webhook_retry_seconds: tuple[float, ...] = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
    webhook_allowed_networks: tuple[str, ...] = ()
    webhook_connect_timeout_seconds: float = 5.0
    webhook_timeout_seconds: float = 15.0
    webhook_longest_retry_after_seconds: float = 3_600.0
    webhook_delivery_days: float = 30.0
    chores: Mapping[str, float] = field(default_factory=dict)


def options() -> Options:
    """Read `settings.OUTBOX`; unknown keys are left to the system checks."""
    given: dict[str, Any] = getattr(settings, "OUTBOX", {})
    known = {each.name: given[each.name.upper()] for each in fields(Options) if each.name.upper() in given}
    if "subscribers" in known:
        known["subscribers"] = tuple(known["subscribers"])
    return Options(**known)
