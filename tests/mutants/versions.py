"""Ways to compare code and generations that look right and are not."""

from typing import Any

from outbox import versions


def by_version_alone(projection: str, generation: int, version: int, statements_hash: str) -> str:
    """Believe that one version is one text."""
    code = {one.name: one for one in versions.projections()}[projection]
    return "" if version == code.version else "differs"


def by_text_alone(*generation: Any) -> str:
    """Believe that a version means nothing."""
    code = {one.name: one for one in versions.projections()}[generation[0]]
    return "differs" if generation[3] != versions.stored_form(code, generation[1])[1] else ""
