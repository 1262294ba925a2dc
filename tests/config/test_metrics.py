"""Prometheus reads `/metrics`; others do not."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from orders_write.models import User
from outbox.lag import LAG, LIMITS
from tests.architecture.test_table_audit import audited

pytestmark = pytest.mark.usefixtures("database")

# Tables of delivery, and of who asks; none of the shop's.
OF_DELIVERY = {
    "event_log", "outbox", "checkpoints", "projection_generations", "projection_verifications", "publishers",
    "dead_letters", "delivery_failures", "paused_subscribers", "delivery_workers",
}  # fmt: skip


def scrape(client: Client | None = None, **meta: str) -> Any:
    return (client or Client()).get("/metrics", **meta)


def test_prometheus_on_this_machine_reads_figures_of_delivery_and_of_the_process() -> None:
    response = scrape()

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    assert 'outbox_lag_seconds{generation="1",state="live",subscriber="order_details"} 0.0' in response.text
    assert "process_resident_memory_bytes" in response.text


def test_no_figure_is_told_twice() -> None:
    names = [line.split()[2] for line in scrape().text.splitlines() if line.startswith("# TYPE")]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("meta", "behind_proxy", "code"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, False, 200),
        ({"REMOTE_ADDR": "::1"}, False, 200),
        ({"REMOTE_ADDR": "192.0.2.1"}, False, 403),
        ({"REMOTE_ADDR": ""}, False, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}, False, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}, True, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1, 192.0.2.1"}, True, 403),
        ({"REMOTE_ADDR": "192.0.2.9", "HTTP_X_FORWARDED_FOR": "192.0.2.1, 127.0.0.1"}, True, 200),
        ({"REMOTE_ADDR": "127.0.0.1"}, True, 200),
    ],
)
def test_addresses_that_are_not_allowed_are_refused(
    settings: Settings, meta: dict[str, str], *, behind_proxy: bool, code: int
) -> None:
    settings.BEHIND_PROXY = behind_proxy

    assert scrape(**meta).status_code == code


def test_other_addresses_can_be_allowed(settings: Settings) -> None:
    settings.METRICS_ALLOWED = [ip_network("192.0.2.0/24")]

    assert scrape(REMOTE_ADDR="192.0.2.7").status_code == 200
    assert scrape(REMOTE_ADDR="127.0.0.1").status_code == 403


@pytest.mark.parametrize(("is_staff", "code"), [(True, 200), (False, 403)])
def test_of_the_users_only_staff_may_read(*, is_staff: bool, code: int) -> None:
    client = Client()
    client.force_login(User.objects.create(username="ada", is_staff=is_staff))

    assert scrape(client, REMOTE_ADDR="192.0.2.1").status_code == code


def test_a_scrape_is_one_statement_on_tables_of_delivery() -> None:
    with audited() as statements:
        scrape()

    assert [statement.sql for statement in statements] == [LIMITS, LAG]
    assert {table for statement in statements for table in statement.tables} <= OF_DELIVERY


def test_prometheus_may_ask_in_plain_http(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert scrape().status_code == 200
    assert Client().get("/metricsx").status_code == 301


def test_figures_are_only_read() -> None:
    assert Client().post("/metrics").status_code == 405
