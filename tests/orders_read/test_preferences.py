"""Tests of what a request may prefer."""

import pytest

from orders_read.preferences import Preferences, preferences_of


@pytest.mark.parametrize(
    ("header", "wait_seconds", "takes_older", "applied"),
    [
        ("", 2, False, ""),
        ("wait=5", 5, False, "wait=5"),
        ("wait=0", 0, False, "wait=0"),
        ("wait=3600", 10, False, "wait=10"),
        ("Wait = 1", 1, False, "wait=1"),
        ('wait="4"', 4, False, "wait=4"),
        ("wait=4, wait=9", 4, False, "wait=4"),
        ("handling=lenient", 2, True, "handling=lenient"),
        ("handling=strict", 2, False, ""),
        ("respond-async, wait=1;x=2, handling=lenient", 1, True, "wait=1, handling=lenient"),
        ("wait=soon", 2, False, ""),
        ("wait=-1", 2, False, ""),
        ("wait=\u0663", 2, False, ""),
        ("wait", 2, False, ""),
        (',;=,"', 2, False, ""),
        ("wait=" + "9" * 5_000, 2, False, ""),
    ],
)
def test_preferences_are_read_and_what_is_not_understood_is_passed_over(
    header, wait_seconds, takes_older, applied
):
    assert preferences_of(header) == Preferences(wait_seconds, takes_older, applied)
