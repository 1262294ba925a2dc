"""Tests of the settings: what the environment decides, and what is safe when it says nothing."""

import json
import os
import subprocess
import sys

import pytest

READ = "import json, config.settings as s; print(json.dumps({n: getattr(s, n) for n in %r}, default=str))"


def settings_with(*names, **environment):
    """Read settings in a process of its own, with nothing in its environment but what is given."""
    result = subprocess.run(
        [sys.executable, "-c", READ % (names,)],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def test_an_empty_environment_is_safe():
    found = settings_with(
        "DEBUG", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS", "ALLOWED_HOSTS"
    )

    assert found == {
        "DEBUG": False,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
    }


def test_the_variables_replace_the_embedded_servers():
    found = settings_with(
        "DATABASES", "REDIS_URL", "SERVERS_ARE_NAMED",
        DATABASE_URL="postgresql://me:secret@db.example:6000/shop", REDIS_URL="redis://cache.example:7000/3",
    )  # fmt: skip

    database = found["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example", 6000, "shop")
    assert found["REDIS_URL"] == "redis://cache.example:7000/3"
    assert found["SERVERS_ARE_NAMED"]


def test_a_transaction_pooler_gets_no_prepared_statements_and_no_session_options():
    options = settings_with("DATABASE_OPTIONS", DATABASE_PREPARE="0")["DATABASE_OPTIONS"]

    assert options["prepare_threshold"] is None
    assert "options" not in options


def test_every_queue_speaks_json_and_uses_the_named_server():
    queues = settings_with("RQ_QUEUES", REDIS_URL="redis://cache.example:7000/3")["RQ_QUEUES"]

    assert set(queues) == {"delivery", "work"}
    for queue in queues.values():
        assert queue["SERIALIZER"] == "rq.serializers.JSONSerializer"
        assert queue["URL"].startswith("redis://cache.example:7000/3?")


@pytest.mark.parametrize(("log_format", "begins"), [("json", "{"), ("console", "[")])
def test_a_log_line_is_json_or_readable(log_format, begins):
    script = "import django; django.setup(); import structlog; structlog.get_logger('x').warning('done', n=1)"

    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"LOG_FORMAT": log_format, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stderr.startswith(begins)
    assert "done" in result.stderr
