"""Ways to rest that look right and are not."""

import psycopg

from outbox.engine import Engine
from outbox.quiet import Marks, Quiet


class TrustingQuiet(Quiet):
    """Trusts the sequence: no identity was drawn, so no message came."""

    def begins(self, since: Marks, settled_identity: int) -> None:
        super().begins(since, since.identity)


class LateMarksQuiet(Quiet):
    """Takes what the sequences say when quiet is to last for what they said before the look."""

    def begins(self, since: Marks, settled_identity: int) -> None:
        super().begins(Marks(-1, -1), settled_identity)

    def lasts(self, connection: psycopg.Connection[object]) -> bool:
        return self._since is not None


class RestlessEngine(Engine):
    """Looks at all the tables each time."""

    def __init__(self, application_name: str, *, rests: bool = False) -> None:
        super().__init__(application_name)
