"""Run a study: the blocks that are not done yet, here or by others, until its result is there."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from tqdm import tqdm

from estimators import InfodisError
from infodis_stats.execution.blocks import Block, blocks_of
from infodis_stats.execution.executors import Crew, WorkError, here
from infodis_stats.execution.ledger import Ledger
from infodis_stats.execution.section import Columns, Course
from infodis_stats.io.files import StoreError

__all__ = ["Order", "run"]

T = TypeVar("T")
DEATHS = 3  # of workers in a row without a block done in between
READINGS = 3  # of a file that is damaged again and again
SHARED = "machines that work together need to share that folder"


@dataclass(frozen=True)
class Order(Generic[T]):
    """What is to be run, as a value that other processes understand.

    Attributes
    ----------
    course : callable
        Begins the study on a device; equal and picklable wherever it is the same study.
    ledger : Path
        Folder that all who work on it can write.
    batch_size : int or None
        See `estimators.evaluate`.
    device : str
        Where models run.
    """

    course: Callable[[str], Course[T]]
    ledger: Path
    batch_size: int | None = None
    device: str = "cpu"


class _Walk(Generic[T]):
    """A study on its way: the blocks of the stages that it has reached."""

    def __init__(self, order: Order[T], device: str) -> None:
        self._course = order.course(device)
        self._device = order.device
        self.ledger = Ledger(order.ledger)
        self.stages: list[list[Block]] = []
        self.result: list[T] = []
        self._advance(None)

    def _advance(self, columns: Sequence[Columns] | None) -> None:
        try:
            sections = self._course.send(columns) if columns is not None else next(self._course)
        except StopIteration as end:
            self.result = [end.value]
        else:
            self._sections = sections
            self.stages.append([block for one in sections for block in blocks_of(one, self._device)])

    def go_on(self) -> list[int]:
        """Take the last stage from the ledger and go on to the next; or return the places of what is missing there."""
        columns = {id(one): _empty(len(one.cells), one.dtype) for one in self._sections}
        missing = []
        for place, block in enumerate(self.stages[-1]):
            found = self.ledger.read(block)
            if found is None:
                missing.append(place)
            else:
                records, problems = columns[id(block.section)]
                records[block.part], problems[block.part] = found.records, found.problems
        if not missing:
            self._advance([Columns(*columns[id(one)]) for one in self._sections])
        return missing


def _empty(cells: int, dtype: np.dtype[np.void]) -> tuple[Any, Any]:
    return np.empty(cells, dtype), np.empty(cells, dtype=object)


def run(order: Order[T], crew: Crew = here, *, show_progress: bool = False, **facts: object) -> T:
    """Run a study to its end; blocks that the ledger has are not run again.

    Parameters
    ----------
    order : Order
    crew : Crew
        Who does the blocks; it changes no number.
    show_progress : bool, default False
        Draw a progress bar where the standard error is a terminal.
    **facts
        What else the ledger is to tell about the run; see `progress_of`.

    Returns
    -------
    T
        The result of the course.

    Raises
    ------
    InfodisError
        What the course or a block raises; `StoreError` if the ledger cannot be written or another run holds it;
        `WorkError` if workers fail. What was done before is kept.
    """
    ledger = Ledger(order.ledger)
    with ledger.held():
        deaths, done = 0, -1
        while True:
            try:
                with crew() as executor:
                    return _run(order, executor, facts, show_progress=show_progress)
            except BrokenExecutor as error:
                before, done = done, ledger.count()
                deaths = 1 if done > before else deaths + 1
                if deaths == DEATHS:
                    raise WorkError(
                        f"workers died {DEATHS} times in a row (is memory too small for so many? does a script that "
                        "asks for workers lack if __name__ == '__main__'?); what was done before is kept"
                    ) from error


def _run(order: Order[T], executor: Executor | None, facts: Mapping[str, object], *, show_progress: bool) -> T:
    ledger = Ledger(order.ledger)
    walk = _Walk(order, order.device if executor is None else "cpu")
    while not walk.result:
        number, blocks = len(walk.stages), walk.stages[-1]
        ledger.announce(walk.stages, host=socket.gethostname(), **facts)
        left = [place for place, block in enumerate(blocks) if not ledger.has(block)]
        passes = sum(block.passes for block in blocks)
        before = passes - sum(blocks[place].passes for place in left)
        quiet = None if show_progress else True
        with tqdm(total=passes, initial=before, unit="pass", unit_scale=True, disable=quiet) as bar:
            for _ in range(READINGS):
                if executor is None:
                    for block in (blocks[place] for place in left):
                        columns = block.compute(batch_size=order.batch_size, device=order.device, progress=bar.update)
                        ledger.write(block, columns)
                else:
                    _spread(order, executor, number - 1, {place: blocks[place] for place in left}, bar)
                left = walk.go_on()
                if not left:
                    break
            else:
                path = ledger.path(blocks[left[0]])
                raise StoreError(f"{path} was written {READINGS} times, and damaged each time that it was read")
    return walk.result[0]


def _spread(order: Order[T], executor: Executor, stage: int, blocks: Mapping[int, Block], bar: "tqdm[Any]") -> None:
    """Have others do some blocks of a stage, named by their places in it."""
    ledger = Ledger(order.ledger)
    futures = {executor.submit(_do, order, stage, place, block.key): block for place, block in blocks.items()}
    for future in as_completed(futures):
        future.result()
        block = futures.pop(future)  # Dask does again what a worker that dies has done, as long as somebody holds it
        if not ledger.shows(block):
            raise WorkError(f"a worker has written {ledger.path(block)}, which is not there: {SHARED}")
        bar.update(block.passes)


_one_at_a_time = threading.Lock()  # models and courses are not made for several threads


def _do(order: Order[T], stage: int, place: int, key: str) -> None:
    """Do a block in a process that may never have heard of the study."""
    ledger = Ledger(order.ledger)
    who = f"a worker on {socket.gethostname()}"
    if not ledger.folder.is_dir():
        raise WorkError(f"{who} does not see {ledger.folder}: {SHARED}")
    with _one_at_a_time:
        try:
            block = _find(order, stage, place, key)
            if block is None:
                _walk.cache_clear()  # of files that may have changed since
                block = _find(order, stage, place, key)
        except InfodisError as error:
            raise WorkError(f"{who} cannot begin the study: {error}") from error
        if block is None:
            raise WorkError(
                f"{who} would compute other numbers: it has other versions of packages, other files, or a processor "
                f"that rounds otherwise, than the process that asked it, or does not see what others have done in "
                f"{ledger.folder}"
            )
        if ledger.read(block) is None:
            ledger.write(block, block.compute(batch_size=order.batch_size, device=order.device))


def _find(order: Order[T], stage: int, place: int, key: str) -> Block | None:
    walk = _walk(order)
    while len(walk.stages) <= stage and not walk.result:
        if not all(walk.ledger.shows(block) for block in walk.stages[-1]) or walk.go_on():
            return None
    found = [block for blocks in walk.stages[stage : stage + 1] for block in blocks[place : place + 1]]
    return found[0] if [block.key for block in found] == [key] else None


@lru_cache(maxsize=1)
def _walk(order: Order[T]) -> _Walk[T]:
    """Begin a study once in a process: models are loaded and sequences drawn for all its blocks."""
    return _Walk(order, order.device)
