"""Seeded mutants of mirrors: each takes one safeguard away, and the check that guards it must fail."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest

from orders_read.stores import choice
from tests.mutants import mirrors as mutants
from tests.mutants.mirrors import Mutant

from . import test_fallback, test_late_events, test_mirrors
from .conftest import Mirrored
from .test_fallback import way  # noqa: F401 – a fixture
from .test_late_events import parked  # noqa: F401 – a fixture

# Of a check that asks for more than the shop, the names of the fixtures.
MUTANTS: list[tuple[Mutant, Callable[..., None], tuple[str, ...]]] = [
    (mutants.versions_are_not_compared, test_mirrors.an_older_write_changes_nothing, ()),
    (mutants.equal_versions_are_written, test_mirrors.an_older_write_changes_nothing, ()),
    (mutants.a_delete_leaves_nothing, test_mirrors.a_tombstone_stays, ()),
    (mutants.a_mirror_is_as_new_as_the_log, test_mirrors.never_runs_ahead, ()),
    (mutants.a_repair_tells_nobody, test_mirrors.brings_a_repaired_row, ()),
    (mutants.a_repaired_row_must_be_newer, test_mirrors.brings_a_repaired_row, ()),
    (mutants.what_is_folded_late_tells_nobody, test_late_events.is_brought_when_it_is_folded, ("parked",)),
    (mutants.a_build_is_shown_when_it_is_copied, test_mirrors.is_never_older_when_shown, ("monkeypatch",)),
    (mutants.what_the_store_refuses_is_forgotten, test_mirrors.survives_cuts, ()),
    (
        mutants.a_server_that_was_restarted_is_believed,
        partial(test_mirrors.comes_back_after_a_kill, with_data=True),
        (),
    ),
    (mutants.documents_of_any_history_are_read, test_mirrors.builds_anew_after_a_restore, ()),
    (mutants.the_owner_is_not_asked, Mirrored.is_equal, ()),
    (mutants.every_reader_tries_the_store, test_fallback.a_silent_store_slows_one_read, ("way",)),
]


@pytest.mark.parametrize(
    ("mutant", "check", "needs"), MUTANTS, ids=lambda part: getattr(part, "__name__", "")
)
def test_the_mutant_dies(
    mirrored: Mirrored,
    mutant: Mutant,
    check: Callable[..., None],
    needs: tuple[str, ...],
    request: pytest.FixtureRequest,
) -> None:
    given: list[Any] = [request.getfixturevalue(name) for name in needs]
    with pytest.MonkeyPatch.context() as patch, mutant(patch) or nullcontext():
        choice._chosen.cache_clear()
        mirrored.build()  # with the mutant's scripts
        with pytest.raises(AssertionError):
            check(mirrored, *[one for one, name in zip(given, needs, strict=True) if name != "parked"])
