"""Figures of delivery for Prometheus: one statement for each scrape, nothing between scrapes.

All figures are of the whole system and read from the tables, whichever process is asked; only the errors of the bell
are of the process that answers, which their label names.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence

from django.db import DatabaseError, connection
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from . import bell
from .exceptions import TablesAreLocked
from .lag import Lag, Look, Status, look

logger = logging.getLogger(__name__)

LABELS = ("subscriber", "generation", "state")
# A publisher's breaker opens with a failure of the whole subscriber, and lets a trial call through after a pause.
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half-open"


class DeliveryCollector(Collector):
    """Looks at the tables of delivery when it is asked; says so in `outbox_scrape_succeeded` when it cannot."""

    def describe(self) -> Iterable[Metric]:
        """Say nothing: to be registered must not cost a look."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all figures of one look."""
        yield _bell_errors()
        try:
            found = look()
        except (DatabaseError, TablesAreLocked) as error:
            connection.close()
            logger.warning("no figures of delivery: %s", str(error).strip())
            yield _gauge("outbox_scrape_succeeded", "Whether delivery could be looked at.", 0)
            return
        yield _gauge("outbox_scrape_succeeded", "Whether delivery could be looked at.", 1)
        yield from _of_all(found)
        yield from _of_subscribers([lag for lag in found.subscribers if lag.state != "missing"])
        yield _statuses(found.subscribers)


def _bell_errors() -> Metric:
    metric = CounterMetricFamily(
        "outbox_bell_errors", "Bells of one process that could not be rung.", labels=["pid"]
    )
    metric.add_metric([str(os.getpid())], bell.BELL.errors)
    return metric


def _of_all(found: Look) -> Iterator[Metric]:
    yield _gauge("outbox_log_head", "The newest position of the event log.", found.head)
    yield _gauge("outbox_messages", "Messages in the outbox that the relay has not moved.", found.messages)
    yield _gauge("outbox_workers", "Workers that showed a sign of life within 10 seconds.", found.workers)
    if found.silent_seconds is not None:
        yield _gauge(
            "outbox_worker_silent_seconds", "Time since any worker's last sign of life.", found.silent_seconds
        )
    status = GaugeMetricFamily("outbox_delivery_status", "1 for the status of all of it.", labels=["status"])
    for one in Status:
        status.add_metric([one.name.lower()], int(found.status is one))
    yield status


def _of_subscribers(lags: Sequence[Lag]) -> Iterator[Metric]:
    yield _each("outbox_checkpoint", "The position up to which a subscriber has come.", lags, "position")
    yield _each(
        "outbox_lag_events", "Events not yet delivered, unrelayed ones included.", lags, "events_behind"
    )
    yield _each("outbox_lag_seconds", "Age of the oldest undelivered event.", lags, "seconds_behind")
    yield _each("outbox_still_seconds", "Time that work has waited with no advance.", lags, "still_seconds")
    yield _each("outbox_sla_seconds", "How old an undelivered event may be.", lags, "sla_seconds")
    yield _each("outbox_failed_attempts", "Attempts that failed since the last success.", lags, "attempts")
    yield _dead_letters(lags)
    paused = GaugeMetricFamily("outbox_paused", "1 while a person has paused a subscriber.", labels=LABELS)
    for lag in lags:
        paused.add_metric(_labels(lag), int(bool(lag.paused)))
    yield paused
    yield from _verifications([lag for lag in lags if lag.verified_position is not None])
    yield _breakers([lag for lag in lags if lag.kind == "publisher"])


def _dead_letters(lags: Sequence[Lag]) -> Metric:
    metric = GaugeMetricFamily(
        "outbox_dead_letters",
        "Open dead letters: tried again, or parked.",
        labels=["subscriber", "generation", "state"],
    )
    for lag in lags:
        metric.add_metric([lag.subscriber, str(lag.generation), "waiting"], lag.waiting)
        metric.add_metric([lag.subscriber, str(lag.generation), "parked"], lag.parked)
    return metric


def _verifications(lags: Sequence[Lag]) -> Iterator[Metric]:
    yield _each(
        "outbox_verified_position", "Where the last verification compared.", lags, "verified_position"
    )
    yield _each(
        "outbox_verified_seconds", "Time since the last verification ended.", lags, "verified_seconds"
    )
    yield _each(
        "outbox_rows_different", "Rows that it found to differ, not repaired.", lags, "rows_different"
    )


def _breakers(publishers: Sequence[Lag]) -> Metric:
    metric = GaugeMetricFamily(
        "outbox_publisher_breaker",
        "1 for the state of a publisher's breaker.",
        labels=["subscriber", "state"],
    )
    for lag in publishers:
        stands = CLOSED if not lag.attempts else OPEN if lag.is_put_off else HALF_OPEN
        for state in (CLOSED, OPEN, HALF_OPEN):
            metric.add_metric([lag.subscriber, state], int(state == stands))
    return metric


def _statuses(lags: Sequence[Lag]) -> Metric:
    metric = GaugeMetricFamily(
        "outbox_subscriber_status",
        "1 for the status of a subscriber.",
        labels=["subscriber", "generation", "status"],
    )
    for lag in lags:
        metric.add_metric([lag.subscriber, str(lag.generation), lag.status.name.lower()], 1)
    return metric


def _each(name: str, text: str, lags: Sequence[Lag], field: str) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=LABELS)
    for lag in lags:
        metric.add_metric(_labels(lag), getattr(lag, field))
    return metric


def _labels(lag: Lag) -> list[str]:
    return [lag.subscriber, str(lag.generation), lag.state]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
