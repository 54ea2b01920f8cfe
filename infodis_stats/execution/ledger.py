"""The ledger: blocks that are done, a sealed file each, in a folder that one run at a time writes."""

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

__all__ = ["Ledger", "Progress", "progress_of"]

MANIFEST = "manifest.json"
LOCK = "lock"
PATIENCE = 90  # seconds; NFS believes for up to 60 that a file is not there


@dataclass(frozen=True)
class Ledger:
    """A folder with a file for each block that is done, named by its key."""

    folder: Path

    def path(self, block: Block) -> Path:
        """Return the file of a block."""
        return self.folder / f"{block.key}.npy"

    def write(self, block: Block, columns: Columns) -> None:
        """Store a block, all or nothing.

        Raises
        ------
        StoreError
            If the file cannot be written; what was stored before stays.
        """
        file = io.BytesIO()  # numpy does not say why it cannot write
        for array in (columns.records, columns.problems):
            np.save(file, array, allow_pickle=False)
        try:
            with atomic_path(self.path(block)) as temporary:
                write_with_checksum(temporary, file.getbuffer())
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror or error}; what was done before is kept, and the "
                "same command goes on from there"
            ) from error

    def read(self, block: Block) -> Columns | None:
        """Return a stored block; None where there is none, or a damaged one, which is to be done again."""
        path = self.path(block)
        try:
            if not intact(path):
                return None
            with path.open("rb") as file:
                return _columns(file, block.section, len(block))
        except Exception:  # numpy raises many types for a file that is none of its own
            return None

    def has(self, block: Block) -> bool:
        """Whether a block is done, by its name alone."""
        return self.path(block).is_file()

    def shows(self, block: Block) -> bool:
        """Whether a block is done that others have written: shared storage may show it a minute later."""
        for _ in range(PATIENCE):
            if self.has(block):
                return True
            time.sleep(1)
        return self.has(block)

    def count(self) -> int:
        """Return the number of blocks that are done, of this study or another."""
        return sum(1 for _ in self.folder.glob("*.npy"))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: no other run may write it meanwhile.

        Raises
        ------
        StoreError
            If the folder cannot be written, or another run holds it.
        """
        writable_folder(self.folder)
        with _locked(self.folder, seconds=1) as ours:  # who asks how far a run is holds it for a moment
            if not ours:
                raise StoreError(f"another run is at work in {self.folder}; wait for it, or write to another folder")
            sweep(self.folder)
            yield

    def announce(self, stages: Sequence[Sequence[Block]], **facts: object) -> None:
        """Write down what is to be done, for who asks how far a run is."""
        work = [(block.section.name, block.key, block.passes) for blocks in stages for block in blocks]
        done = [self.has(block) for blocks in stages for block in blocks]
        text = json.dumps(facts | {"since": time.time(), "blocks": work, "done": done})
        try:
            with atomic_path(self.folder / MANIFEST) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror or error}") from error


def _columns(file: BinaryIO, section: Section, cells: int) -> Columns | None:
    """Read a block's two arrays, if they are what the section keeps: sizes before contents."""
    arrays: list[Any] = []
    for wanted in (section.dtype, np.dtype(f"<U{LONGEST}")):
        start = file.tell()
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[np.lib.format.read_magic(file)](file)
        fits = dtype == wanted or (dtype.kind == wanted.kind == "U" and dtype.itemsize <= wanted.itemsize)
        if shape != (cells,) or not fits:
            return None
        file.seek(start)
        arrays.append(np.load(file, allow_pickle=False))
    return Columns(*arrays)


class _Manifest(BaseModel):
    """What a run has written down, or somebody else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str = ""
    study: str = ""
    host: str = ""
    workers: int | str = 1
    since: Annotated[float, Field(allow_inf_nan=False)]
    blocks: list[tuple[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")], Annotated[int, Field(ge=0, le=2**63)]]]
    done: list[bool]


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes
    ----------
    facts : mapping
        What the run wrote down: ``study``, ``title``, ``workers``, ``host``.
    sections : mapping of str to tuple of int
        Of each section: blocks done, blocks, passes done, passes.
    running : bool or None
        Whether a run holds the folder; None where that cannot be told, as the folder may not be written.
    passes_a_second : float
        Since the run that is at work began; NaN where none is, or it has done nothing yet.
    """

    facts: dict[str, Any]
    sections: dict[str, tuple[int, int, int, int]]
    running: bool | None
    passes_a_second: float

    @property
    def totals(self) -> tuple[int, int, int, int]:
        """Blocks done, blocks, passes done, passes of all sections."""
        done, blocks, passes_done, passes = map(sum, zip((0, 0, 0, 0), *self.sections.values(), strict=True))
        return done, blocks, passes_done, passes

    @property
    def seconds_left(self) -> float:
        """What the rest takes at the pace so far; NaN where that is not known."""
        *_, done, passes = self.totals
        return (passes - done) / self.passes_a_second


def progress_of(folder: Path | str) -> Progress:
    """Say how far the study is whose blocks lie in a folder.

    Raises
    ------
    StoreError
        If no run has ever begun there, or what it wrote down is damaged.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    try:
        present = manifest.is_file()
    except OSError:  # a name that no file can have
        present = False
    if not present:
        raise StoreError(f"no study was begun in {folder.parent}")
    try:
        found = _Manifest.model_validate_json(read_text(manifest))
        work = [*zip(found.blocks, found.done, strict=True)]
    except ValueError as error:
        raise StoreError(f"{manifest} is damaged; the same command writes it anew") from error
    sections: dict[str, tuple[int, int, int, int]] = {}
    fresh = 0
    for (name, key, passes), known in work:
        there = (folder / f"{key}.npy").is_file()
        done, count, passes_done, total = sections.get(name, (0, 0, 0, 0))
        sections[name] = done + there, count + 1, passes_done + there * passes, total + passes
        fresh += passes if there and not known else 0
    running = None
    with contextlib.suppress(StoreError), _locked(folder) as ours:  # of somebody else, whose folder may only be read
        running = not ours
    seconds = time.time() - found.since
    facts = found.model_dump(exclude={"since", "blocks", "done"})
    return Progress(facts, sections, running, fresh / seconds if running and fresh and seconds > 0 else np.nan)


@contextlib.contextmanager
def _locked(folder: Path, *, seconds: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a folder unless somebody else does all that time; yield whether."""
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
