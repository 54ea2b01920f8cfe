"""The ledger: a folder of completed blocks, one file with a checksum each, written by one run at a time."""

import contextlib
import io
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field

from infodis_stats.execution.blocks import Block
from infodis_stats.execution.section import LONGEST, Columns, Section
from infodis_stats.io.files import (
    StoreError,
    atomic_path,
    intact,
    read_text,
    sweep,
    writable_folder,
    write_with_checksum,
)

__all__ = ["Ledger", "StudyProgress", "progress_of"]

MANIFEST = "manifest.json"
LOCK = "lock"
LOCK_TIMEOUT = 1.0  # seconds; progress_of holds the lock for a moment
VISIBILITY_TIMEOUT = 90  # seconds; NFS clients cache the absence of a file for up to 60


@dataclass(frozen=True)
class Ledger:
    """A folder with one file per completed block, named after its key."""

    folder: Path

    def path(self, block: Block) -> Path:
        """Return the file of a block."""
        return self.folder / f"{block.key}.npy"

    def write(self, block: Block, columns: Columns) -> None:
        """Store a block atomically.

        Raises
        ------
        StoreError
            If the file cannot be written; blocks stored before are kept.
        """
        file = io.BytesIO()  # because numpy does not report why a write fails
        for array in (columns.records, columns.problems):
            np.save(file, array, allow_pickle=False)
        try:
            with atomic_path(self.path(block)) as temporary:
                write_with_checksum(temporary, file.getbuffer())
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror or error}; completed blocks are kept, and the same "
                "command continues from them"
            ) from error

    def read(self, block: Block) -> Columns | None:
        """Return a stored block; None if it is missing or damaged and has to be computed."""
        path = self.path(block)
        try:
            if not intact(path):
                return None
            with path.open("rb") as file:
                return _columns(file, block.section, len(block))
        except Exception:  # numpy raises many types for a damaged file
            return None

    def has(self, block: Block) -> bool:
        """Return whether the file of a block exists, without reading it."""
        return self.path(block).is_file()

    def wait_for(self, block: Block) -> bool:
        """Return whether the file of a block that a worker has written appears; shared storage may take a minute."""
        for _ in range(VISIBILITY_TIMEOUT):
            if self.has(block):
                return True
            time.sleep(1)
        return self.has(block)

    def count(self) -> int:
        """Return the number of completed blocks, of this study and of others."""
        return sum(1 for _ in self.folder.glob("*.npy"))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, so that no other run writes to it.

        Raises
        ------
        StoreError
            If the folder cannot be written, or another run holds the lock.
        """
        writable_folder(self.folder)
        with _lock(self.folder, seconds=LOCK_TIMEOUT) as acquired:
            if not acquired:
                raise StoreError(f"another run is using {self.folder}; wait until it ends, or write to another folder")
            sweep(self.folder)
            yield

    def write_manifest(self, stages: Sequence[Sequence[Block]], **facts: object) -> None:
        """Write the list of blocks, from which `progress_of` computes the progress."""
        work = [(block.section.name, block.key, block.passes) for blocks in stages for block in blocks]
        done = [self.has(block) for blocks in stages for block in blocks]
        text = json.dumps(facts | {"since": time.time(), "blocks": work, "done": done})
        try:
            with atomic_path(self.folder / MANIFEST) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror or error}") from error


def _columns(file: BinaryIO, section: Section, cells: int) -> Columns | None:
    """Read the two arrays of a block; None if their headers do not match the section. Headers are checked first."""
    arrays: list[Any] = []
    for expected in (section.dtype, np.dtype(f"<U{LONGEST}")):
        start = file.tell()
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = readers[np.lib.format.read_magic(file)](file)
        matches = dtype == expected or (dtype.kind == expected.kind == "U" and dtype.itemsize <= expected.itemsize)
        if shape != (cells,) or not matches:
            return None
        file.seek(start)
        arrays.append(np.load(file, allow_pickle=False))
    return Columns(*arrays)


class _Manifest(BaseModel):
    """The manifest of a run, validated because anyone may have written it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = ""
    study: str = ""
    host: str = ""
    workers: int | str = 1
    since: Annotated[float, Field(allow_inf_nan=False)]
    blocks: list[tuple[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")], Annotated[int, Field(ge=0, le=2**63)]]]
    done: list[bool]


@dataclass(frozen=True)
class StudyProgress:
    """The progress of a study.

    Attributes
    ----------
    facts : mapping
        ``study``, ``title``, ``workers`` and ``host`` of the last run.
    sections : mapping of str to tuple of int
        For each section: completed blocks, blocks, completed passes, passes.
    running : bool or None
        Whether a run holds the lock of the folder; None if unknown, because the folder is not writable.
    passes_per_second : float
        Average since the present run started; NaN if no run is active or it has completed no block.
    """

    facts: dict[str, Any]
    sections: dict[str, tuple[int, int, int, int]]
    running: bool | None
    passes_per_second: float

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """Completed blocks, blocks, completed passes and passes, summed over sections."""
        done, blocks, passes_done, passes = map(sum, zip((0, 0, 0, 0), *self.sections.values(), strict=True))
        return done, blocks, passes_done, passes

    @property
    def seconds_left(self) -> float:
        """Estimated remaining time at the present rate; NaN if unknown."""
        *_, done, passes = self.totals
        return (passes - done) / self.passes_per_second


def progress_of(folder: Path | str) -> StudyProgress:
    """Return the progress of the study whose ledger is a folder.

    Raises
    ------
    StoreError
        If no run has started there, or the manifest is damaged.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    try:
        present = manifest.is_file()
    except OSError:  # not a valid file name
        present = False
    if not present:
        raise StoreError(f"no study has been started in {folder.parent}")
    try:
        contents = _Manifest.model_validate_json(read_text(manifest))
        work = [*zip(contents.blocks, contents.done, strict=True)]
    except ValueError as error:
        raise StoreError(f"{manifest} is damaged; running the study again rewrites it") from error
    sections: dict[str, tuple[int, int, int, int]] = {}
    new_passes = 0  # of the present run
    for (name, key, passes), done_before in work:
        exists = (folder / f"{key}.npy").is_file()
        done, count, passes_done, total = sections.get(name, (0, 0, 0, 0))
        sections[name] = done + exists, count + 1, passes_done + exists * passes, total + passes
        new_passes += passes if exists and not done_before else 0
    running = None
    with contextlib.suppress(StoreError), _lock(folder) as acquired:  # the folder may be read-only
        running = not acquired
    seconds = time.time() - contents.since
    facts = contents.model_dump(exclude={"since", "blocks", "done"})
    rate = new_passes / seconds if running and new_passes and seconds > 0 else np.nan
    return StudyProgress(facts, sections, running, rate)


@contextlib.contextmanager
def _lock(folder: Path, *, seconds: float = 0.0) -> Iterator[bool]:
    """Try to acquire the lock of a folder within a time limit; yield whether it was acquired."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        pass
    except OSError as error:
        raise StoreError(f"{folder / LOCK} cannot be locked: {error.strerror or error}") from error
    try:
        yield lock.is_locked
    finally:
        lock.release()
