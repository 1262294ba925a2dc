"""Write down which commands were refused, one JSON object a line."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import BinaryIO

import orjson

from .runner import Refused


class Report:
    """Counts what was refused, by rule, and writes each to `file` when there is one."""

    def __init__(self, file: BinaryIO | None) -> None:
        self.file = file
        self.rules: Counter[str] = Counter()
        self.first: Refused | None = None

    def add(self, refused: Iterable[Refused]) -> None:
        """Take in what one batch came to; it stands in the file when this returns."""
        for one in refused:
            self.first = self.first or one
            self.rules[one.problem.rule] += 1
            if self.file:
                self.file.write(orjson.dumps(_line(one), option=orjson.OPT_APPEND_NEWLINE))
        if self.file:
            self.file.flush()


def _line(refused: Refused) -> dict[str, object]:
    place = {"seq": refused.seq, "line": refused.line, "type": refused.type}
    expected = {"expect_reject": refused.expect_reject} if refused.expect_reject else {}
    return place | asdict(refused.problem) | expected
