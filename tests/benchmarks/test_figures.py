"""The table of the benchmarks; what they measure is for `make bench` to say."""

import subprocess
import sys

from benchmarks.figures import Figure, table


def test_a_ratio_above_one_is_better_than_the_peer() -> None:
    fast = Figure(row="P1", quantity="speed", unit="/s", measured=200, target=100, peer=50, peer_name="slow")
    short = Figure(
        row="P5",
        quantity="delay",
        unit="ms",
        measured=2,
        target=1,
        lower_is_better=True,
        peer=8,
        peer_name="long",
    )

    assert (fast.ratio, fast.is_reached) == (4, True)
    assert (short.ratio, short.is_reached) == (4, False)


def test_the_table_tells_target_measure_and_peer() -> None:
    figure = Figure(
        row="P5",
        quantity="delay",
        unit="ms",
        measured=2.125,
        target=4,
        lower_is_better=True,
        peer=8,
        peer_name="old",
    )

    assert (
        table([figure]).splitlines()[-1] == "| P5 | delay | ≤ 4 ms | 2.12 ms | old: 8 ms | 3.76 | reached |"
    )


def test_a_figure_without_target_or_peer_has_no_verdict() -> None:
    figure = Figure(row="P6", quantity="speed", unit="/s", measured=1234.5)

    assert table([figure]).splitlines()[-1] == "| P6 | speed |  | 1,234 /s |  |  |  |"


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "P2"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "there is no P2; there are P1, P3" in ended.stderr
