"""Files: text input, atomic writes, and SHA-256 checksums appended to binary files."""

import contextlib
import hashlib
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from estimators import InfodisError, InputError

__all__ = [
    "StoreError",
    "atomic_path",
    "intact",
    "read_text",
    "sweep",
    "writable_folder",
    "write_new_text",
    "write_with_checksum",
]

MOST_CHARACTERS = 2**28
CHUNK_CHARACTERS = 2**16
CHUNK_BYTES = 2**20
CHECKSUM_MARK = b"infodis-stats sha256 "
CHECKSUM_BYTES = len(CHECKSUM_MARK) + hashlib.sha256().digest_size
PARTIAL = ".partial"


class StoreError(InfodisError):
    """A file that cannot be written, is damaged or truncated, or has an unsupported format.

    Examples
    --------
    >>> from infodis_stats import StoreError, read_store
    >>> try:
    ...     read_store("absent.nc")
    ... except StoreError as error:
    ...     print(error)
    there is no study at absent.nc
    """


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` on success and delete it on failure.

    The data is flushed to disk before the rename, so neither a kill nor a power cut leaves a partial file at ``path``.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PARTIAL)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)  # the directory entry
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Delete the temporary files that a killed `atomic_path` left in a folder."""
    for leftover in folder.glob(f".*{PARTIAL}"):
        leftover.unlink(missing_ok=True)


def write_with_checksum(path: Path, data: bytes | memoryview) -> None:
    """Write data followed by its SHA-256 checksum; readers of most formats ignore trailing bytes."""
    with path.open("wb") as file:
        file.write(data)
        file.write(CHECKSUM_MARK + hashlib.sha256(data).digest())


def intact(path: Path) -> bool | None:
    """Return whether a file matches its checksum; None if it has no checksum."""
    with path.open("rb") as file:
        size = max(path.stat().st_size - CHECKSUM_BYTES, 0)
        file.seek(size)
        stored = file.read()
        if not stored.startswith(CHECKSUM_MARK):
            return False if CHECKSUM_MARK in stored else None  # in a truncated file the mark starts later
        file.seek(0)
        digest, remaining = hashlib.sha256(), size
        while remaining and (chunk := file.read(min(remaining, CHUNK_BYTES))):
            digest.update(chunk)
            remaining -= len(chunk)
    return stored == CHECKSUM_MARK + digest.digest()


def writable_folder(path: Path | str) -> Path:
    """Create a folder if necessary and return it; `StoreError` if files cannot be written in it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be written: {error.strerror}") from error
    return folder


def write_new_text(path: Path, text: str) -> None:
    """Write a text to a new file; `InputError` if there is one already, or it cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(f"{path} exists already and is kept: choose another out= file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{str(path)!a} cannot be written: it is not a valid file name") from error


def read_text(path: Path | str) -> str:
    """Return the UTF-8 text of a file, or of standard input if the path is ``-``; `InputError` if it cannot be read.

    A leading byte order mark is dropped. Files of more than 2**28 characters are refused, because devices such as
    ``/dev/zero`` never end.
    """
    try:
        with _standard_input() if str(path) == "-" else Path(path).open(encoding="utf-8-sig") as file:
            # In chunks, because read(n) allocates n characters at once.
            chunks = iter(lambda: file.read(CHUNK_CHARACTERS), "")
            text = "".join(itertools.islice(chunks, MOST_CHARACTERS // CHUNK_CHARACTERS + 1))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{path} cannot be read: {reason}") from error
    except ValueError as error:
        raise InputError(f"{str(path)!a} cannot be read: it is not a valid file name") from error
    except TypeError as error:
        raise InputError(f"a file must be named by a string or a Path, got {type(path).__name__}") from error
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{path} cannot be read: it has more than {MOST_CHARACTERS} characters")
    return text.removeprefix("\ufeff")


@contextlib.contextmanager
def _standard_input() -> Iterator[TextIO]:
    """Yield standard input as UTF-8 text, whatever the locale; a text stream that replaces it is taken as it is."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        stream = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig")
        try:
            yield stream
        finally:
            stream.detach()
    else:
        yield sys.stdin
