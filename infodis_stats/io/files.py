"""Files: read as text, written whole or not at all, sealed with a digest."""

import contextlib
import hashlib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from estimators import InfodisError, InputError

__all__ = ["StoreError", "atomic_path", "intact", "read_text", "sweep", "writable_folder", "write_sealed"]

MOST_CHARACTERS = 2**28
PIECE = 2**16  # characters
SEAL = b"infodis-stats sha256 "
SEAL_BYTES = len(SEAL) + hashlib.sha256().digest_size
PARTIAL = ".partial"


class StoreError(InfodisError):
    """A file that cannot be written, or is damaged, or is not one of ours."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that takes its place when the block ends, and is removed when it fails.

    What is written is on the disk before it has the name, so that neither a kill nor a power cut leaves half a file.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        _flush(beside)
        beside.replace(path)
        _flush(path.parent)  # its entry in the folder
    finally:
        beside.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove from a folder what `atomic_path` leaves there when it is killed."""
    for left in folder.glob(f".*{PARTIAL}"):
        left.unlink(missing_ok=True)


def write_sealed(path: Path, data: bytes | memoryview) -> None:
    """Write data, and its digest behind, where most formats look no further."""
    with path.open("wb") as file:
        file.write(data)
        file.write(SEAL + hashlib.sha256(data).digest())


def intact(path: Path) -> bool | None:
    """Whether a file is as it was sealed; None for one without a seal."""
    with path.open("rb") as file:
        size = max(path.stat().st_size - SEAL_BYTES, 0)
        file.seek(size)
        found = file.read()
        if not found.startswith(SEAL):
            return False if SEAL in found else None  # the seal of a truncated file stands too far back
        file.seek(0)
        digest, left = hashlib.sha256(), size
        while left and (piece := file.read(min(left, 2**20))):
            digest.update(piece)
            left -= len(piece)
    return found == SEAL + digest.digest()


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
