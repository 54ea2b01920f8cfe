"""Files: read as text, written whole or not at all."""

import contextlib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from estimators import InfodisError, InputError

__all__ = ["StoreError", "atomic_path", "read_text", "writable_folder"]


MOST_CHARACTERS = 2**28
PIECE = 2**16  # characters


class StoreError(InfodisError):
    """A file that cannot be written, or is damaged, or is not one of ours."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that takes its place when the block ends, and is removed when it fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def writable_folder(path: Path | str) -> Path:
    """Make a folder if need be and return it; `StoreError` if files cannot be written into it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be written: {error.strerror}") from error
    return folder


def read_text(path: Path | str) -> str:
    """Return the text of a file, or of the standard input for ``-``; `InputError` if it cannot be read.

    A file may begin with a byte order mark, which is not text, and end within 2**28 characters: some never end.
    """
    try:
        with contextlib.nullcontext(sys.stdin) if str(path) == "-" else Path(path).open(encoding="utf-8-sig") as file:
            # A piece at a time: a reader makes room for all it is asked for.
            text = "".join(itertools.islice(iter(lambda: file.read(PIECE), ""), MOST_CHARACTERS // PIECE + 1))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path} cannot be read: {reason}") from error
    except ValueError as error:
        raise InputError(f"{str(path)!a} cannot be read: no file can have that name") from error
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{path} cannot be read: it has more than {MOST_CHARACTERS} characters")
    return text
