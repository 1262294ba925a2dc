"""Tests that the log tells what failed and no secret."""

import io
import logging

import pytest
from django.db import connection
from django.test import Client
from structlog.stdlib import ProcessorFormatter

from config.logging import logging_settings
from orders_write.models import User

DATABASE_PASSWORD = "secret of the database"
PASSWORD = "secret of ada"


@pytest.fixture
def lines(request):
    """Give what would be written in a format, as it grows."""
    options = logging_settings(request.param, "INFO")["formatters"]["lines"]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(foreign_pre_chain=options["foreign_pre_chain"], processors=options["processors"])
    )
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def database_is_away(database, monkeypatch):
    User.objects.create_user("ada", password=PASSWORD)
    connection.close()
    with monkeypatch.context() as patch:
        for name, value in {"HOST": "127.0.0.1", "PORT": "1", "PASSWORD": DATABASE_PASSWORD}.items():
            patch.setitem(connection.settings_dict, name, value)
        yield
    connection.close()


@pytest.mark.parametrize("lines", ["console", "json"], indirect=True)
def test_a_failing_login_is_logged_without_passwords(lines, database_is_away):
    client = Client(raise_request_exception=False)

    response = client.post("/login/", {"username": "ada", "password": PASSWORD})

    logged = lines.getvalue()
    assert response.status_code == 500
    assert "OperationalError" in logged
    assert "Traceback" in logged
    assert PASSWORD not in logged
    assert DATABASE_PASSWORD not in logged
