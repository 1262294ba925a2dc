"""check_answers compares what customers are shown: with dashboards in another store, that store's documents."""

from pathlib import Path

import orjson
import pytest
from pytest_django import Settings

from orders_read.mirrors import building
from orders_read.mirrors.building import mirror_of
from orders_read.stores import choice
from orders_read.stores.contract import Document
from orders_read.stores.documents import DOCUMENTS
from outbox import epoch
from tests.orders_read.test_check_answers import answers, check, failure  # noqa: F401 – a fixture
from tests.orders_write.shop import rows

from .backends import Backend


@pytest.fixture
def mirrored_answers(answers: Path, server: Backend, settings: Settings) -> Path:  # noqa: F811
    """Give a small shop, its answers, and mirrors of both read models."""
    server.revive()
    server.empty()
    epoch._known.clear()  # of an earlier test
    choice._chosen.cache_clear()
    settings.READ_STORES = {name: server.options(FALLBACK=False) for name in DOCUMENTS}
    for name in DOCUMENTS:
        building.rebuild(mirror_of(name), "shell:ada")
    return answers


def test_answers_are_equal_from_every_store(mirrored_answers: Path, settings: Settings) -> None:
    from_store = check(mirrored_answers)
    assert "answers are equal" in from_store
    settings.READ_STORES = {}
    assert check(mirrored_answers) == from_store


def test_a_document_that_differs_is_an_answer_that_differs(mirrored_answers: Path) -> None:
    mirror = mirror_of("user_dashboard")
    ((user_id, version),) = rows("SELECT user_id, row_version FROM read_user_dashboard")
    text, _ = mirror.store.answer(user_id, None, str(epoch.current_epoch()))
    assert text is not None
    forged = orjson.dumps(orjson.loads(text) | {"spent": "8.0000"}).decode()
    generation = mirror.store.shown()
    assert generation is not None
    mirror.store.write([generation], [Document(user_id, version + 1, None, forged)])
    assert "answers differ" in str(failure(mirrored_answers))
