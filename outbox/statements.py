"""The statements of this app that are longer than ten lines, one file each under `sql/`."""

from pathlib import Path

FOLDER = Path(__file__).parent / "sql"


def statement(name: str) -> str:
    """Read `sql/<name>.sql`."""
    return (FOLDER / f"{name}.sql").read_text()


def script(name: str) -> str:
    """Read the Lua script `sql/<name>.lua`."""
    return (FOLDER / f"{name}.lua").read_text()
