"""Whether a generation was built by the code of today: by its version, and by the text of its folds."""

from .folds import stored_form
from .subscribers import Projection, projections

SAME = ""


def difference(projection: str, generation: int, version: int, statements_hash: str) -> str:
    """Say what code and generation disagree about, and what to do; empty when they agree, or no code knows it.

    Delivery goes on either way: a generation is fed by the folds that it keeps.
    """
    code: Projection | None = {one.name: one for one in projections()}.get(projection)
    if code is None:
        return SAME
    if version < code.version:
        return (
            f"has version {version}, the code {code.version}: "
            f"`manage.py rebuild_projection {projection}` shows what the code has"
        )
    if version > code.version:
        return (
            f"has version {version}, newer than the code's {code.version}: "
            f"deploy that code, or `manage.py rollback_projection {projection}`"
        )
    if statements_hash != stored_form(code, generation)[1]:
        return (
            f"is folded by another text of version {version} than the code's: `manage.py retry_dead_letters --all` "
            f"or a migration applies the new one, `manage.py rebuild_projection {projection}` to past events too"
        )
    return SAME
