"""Open the files of an import, plain or packed with xz; whatever is wrong with one becomes one sentence."""

import csv
import hashlib
import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

CHUNK = 1 << 20


class BadFile(Exception):
    """A file cannot be imported; the message says why, and in which line."""

    def __init__(self, path: Path, complaint: str, line: int | None = None) -> None:
        place = f"{path}, line {line}" if line else str(path)
        super().__init__(f"{place}: {complaint}.")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, with their numbers from 1."""
    number = 0
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.isspace():
                yield number, line
    if number == 0:
        raise BadFile(path, "the file is empty")


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file that has at least these columns, with their line numbers."""
    with _opened(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise BadFile(path, f"there is no column {', '.join(sorted(missing))}")
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise BadFile(
                        path, "the row has not as many values as there are columns", reader.line_num
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise BadFile(path, f"this is not CSV ({error})", reader.line_num) from error


def sha256(path: Path) -> str:
    """Return the digest of the file as it lies there, packed or not."""
    with _as_bad_file(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with _as_bad_file(path), path.open("rb") as file:
        if path.suffix == ".xz":
            with lzma.open(file) as unpacked, io.BufferedReader(cast(io.RawIOBase, unpacked), CHUNK) as lines:
                yield cast(BinaryIO, lines)
        else:
            yield file


@contextmanager
def _as_bad_file(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise BadFile(path, "there is no such file") from None
    except EOFError:
        raise BadFile(path, "the file is cut off; fetch it again") from None
    except lzma.LZMAError:
        raise BadFile(path, "this is not an xz file, or it is damaged") from None
    except UnicodeDecodeError:
        raise BadFile(path, "this is not UTF-8 text") from None
    except OSError as error:
        raise BadFile(path, (error.strerror or str(error)).lower()) from None
