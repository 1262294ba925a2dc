"""What keeps a subscriber, and what a person does next, in words."""

from collections.abc import Iterator

from .lag import Lag, Look, Status

START_WORKER = (
    "start a worker: `manage.py rqworker delivery --worker-class outbox.worker.DeliveryWorker`, "
    "or `manage.py run_delivery`, which needs no Redis."
)


def title(lag: Lag) -> str:
    """Name a generation of a subscriber; the live one goes by the subscriber's name alone."""
    is_told_by_name = lag.state in ("live", "missing")
    return lag.subscriber if is_told_by_name else f"{lag.subscriber} (generation {lag.generation})"


def describe(lag: Lag, trouble: Status) -> str:
    """Say what is the matter with a subscriber, in one sentence without its name."""
    match trouble:
        case Status.RETRYING:
            return f"{_aggregates(lag.waiting)} behind an event that failed and is tried again by itself"
        case Status.PARKED:
            return f"{_aggregates(lag.parked)} parked behind an event that waits for a person"
        case Status.PAUSED:
            return f"paused: {lag.paused}"
        case Status.STALLED:
            waiting = counted(lag.events_behind, "event")
            return f"has not moved for {lag.still_seconds:.0f} s with work waiting: {waiting}"
        case Status.FAILING:
            return f"stops at position {lag.position}, {counted(lag.attempts, 'attempt')}: {lag.error}"
        case Status.MISSING:
            return lag.error
        case Status.BEHIND:
            return f"is {lag.seconds_behind:.1f} s behind; its SLA allows {lag.sla_seconds:g} s"
        case _:
            return trouble.text


def notes(lag: Lag) -> Iterator[str]:
    """Say what is no trouble of delivery but should be known: rows that differ, a generation of other code."""
    if lag.rows_different:
        found = f"{counted(lag.rows_different, 'row')} differed when verified at {lag.verified_position}"
        yield f"{found}: `manage.py verify_projection {lag.subscriber}`"
    if lag.version_note:
        yield lag.version_note


def next_step(look: Look) -> str:
    """Say what to do about the worst trouble of all."""
    if look.status is Status.NOT_RUNNING:
        return START_WORKER
    worst = [lag for lag in look.subscribers if lag.status is look.status and lag.is_shown]
    return _step(look.status, worst[0]) if worst else "nothing."


def _step(status: Status, lag: Lag) -> str:
    match status:
        case Status.RETRYING:
            return "wait: they are tried again by themselves. `manage.py list_dead_letters` shows the errors."
        case Status.BEHIND:
            return "look again in a minute; where the figures do not fall, `manage.py doctor` says who is in the way."
        case Status.PAUSED:
            return f"when the reason is gone, `manage.py resume_delivery {lag.subscriber}`."
        case Status.PARKED:
            return (
                "`manage.py list_dead_letters --group` shows the errors; mend their cause, "
                "then `manage.py retry_dead_letters`."
            )
        case Status.STALLED:
            return "`manage.py doctor` says who is in the way and how to mend it."
        case Status.FAILING:
            return f"mend what the error of {lag.subscriber} says; it is tried again by itself."
        case Status.MISSING:
            return "`manage.py migrate` makes the tables of a new projection."
        case _:
            return "nothing."


def counted(count: int, noun: str) -> str:
    """Write a number of things: 1 worker, 2 workers."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _aggregates(count: int) -> str:
    return f"{counted(count, 'aggregate')} {'is' if count == 1 else 'are'}"
