"""The fold statements that are too long to stand in their projection's module."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "sql" / "folds"


def fold(name: str) -> str:
    """Return the statement in `sql/folds/<name>.sql`."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
