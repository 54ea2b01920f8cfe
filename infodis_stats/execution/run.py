"""Run a study: compute the missing blocks of each stage, in this process or by workers, until it returns its result."""

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from estimators import InfodisError
from infodis_stats.execution.blocks import Block, blocks_of
from infodis_stats.execution.executors import ExecutorFactory, WorkError, in_process
from infodis_stats.execution.ledger import Ledger
from infodis_stats.execution.section import Columns, Workflow
from infodis_stats.io.files import StoreError
from infodis_stats.progress import progress_bar

__all__ = ["StudyRun", "run"]

T = TypeVar("T")
MOST_DEATHS = 3  # of workers in a row without a block completed in between
MOST_ATTEMPTS = 3  # at a block whose file is damaged
SHARED = "all machines must share this folder"


@dataclass(frozen=True)
class StudyRun(Generic[T]):
    """A study to run, as a picklable value that workers can execute.

    Attributes
    ----------
    workflow : callable
        Starts the study on a device; picklable, and equal in all processes for the same study.
    ledger : Path
        Folder that all workers can write to.
    batch_size : int or None
        Rows per call of the model; None chooses it from the model and the memory.
    device : str
        Torch device of the models.
    """

    workflow: Callable[[str], Workflow[T]]
    ledger: Path
    batch_size: int | None = None
    device: str = "cpu"


class _StartedStudy(Generic[T]):
    """A study that has started: the blocks of the stages that it has reached, and its result at the end."""

    def __init__(self, study_run: StudyRun[T], device: str) -> None:
        self._workflow = study_run.workflow(device)
        self._device = study_run.device
        self.ledger = Ledger(study_run.ledger)
        self.stages: list[list[Block]] = []
        self.result: list[T] = []
        self._advance(None)

    def _advance(self, columns: Sequence[Columns] | None) -> None:
        try:
            sections = self._workflow.send(columns) if columns is not None else next(self._workflow)
        except StopIteration as end:
            self.result = [end.value]
        else:
            self._sections = sections
            self.stages.append([block for section in sections for block in blocks_of(section, self._device)])

    def advance(self) -> list[int]:
        """Read the last stage from the ledger and start the next; or return the indices of missing blocks."""
        columns = {id(section): _empty(len(section.cells), section.dtype) for section in self._sections}
        missing = []
        for index, block in enumerate(self.stages[-1]):
            stored = self.ledger.read(block)
            if stored is None:
                missing.append(index)
            else:
                records, problems = columns[id(block.section)]
                records[block.part], problems[block.part] = stored.records, stored.problems
        if not missing:
            self._advance([Columns(*columns[id(section)]) for section in self._sections])
        return missing


def _empty(cells: int, dtype: np.dtype[np.void]) -> tuple[Any, Any]:
    return np.empty(cells, dtype), np.empty(cells, dtype=object)


def run(
    study_run: StudyRun[T], open_executor: ExecutorFactory = in_process, *, show_progress: bool = False, **facts: object
) -> T:
    """Run a study to its end; blocks that are in the ledger are not recomputed.

    Parameters
    ----------
    study_run : StudyRun
    open_executor : callable
        Opens the executor that computes blocks; it does not affect the numbers.
    show_progress : bool, default False
        Show a progress bar, in terminals and notebooks.
    **facts
        Further facts about the run for `progress_of`: ``study``, ``title`` and ``workers``.

    Returns
    -------
    T
        The result of the workflow.

    Raises
    ------
    InfodisError
        Any error of the workflow or of a block. `StoreError` if the ledger cannot be written or another run has locked
        it; `WorkError` if workers fail. Completed blocks are kept.
    """
    ledger = Ledger(study_run.ledger)
    with ledger.locked():
        deaths, done = 0, -1
        while True:
            try:
                with open_executor() as executor:
                    return _run(study_run, executor, facts, show_progress=show_progress)
            except BrokenExecutor as error:
                before, done = done, ledger.count()
                deaths = 1 if done > before else deaths + 1
                if deaths == MOST_DEATHS:
                    raise WorkError(
                        f"workers died {MOST_DEATHS} times in a row (too little memory for so many workers? a script "
                        "without if __name__ == '__main__'?); completed blocks are kept"
                    ) from error


def _run(study_run: StudyRun[T], executor: Executor | None, facts: Mapping[str, object], *, show_progress: bool) -> T:
    ledger = Ledger(study_run.ledger)
    study = _StartedStudy(study_run, study_run.device if executor is None else "cpu")
    while not study.result:
        number, blocks = len(study.stages), study.stages[-1]
        ledger.write_manifest(study.stages, host=socket.gethostname(), **facts)
        missing = [index for index, block in enumerate(blocks) if not ledger.has(block)]
        passes = sum(block.passes for block in blocks)
        before = passes - sum(blocks[index].passes for index in missing)
        with progress_bar(show=show_progress, total=passes, initial=before) as bar:
            for _ in range(MOST_ATTEMPTS):
                if executor is None:
                    for block in (blocks[index] for index in missing):
                        columns = block.compute(
                            batch_size=study_run.batch_size, device=study_run.device, progress=bar.update
                        )
                        ledger.write(block, columns)
                else:
                    _distribute(study_run, executor, number - 1, {index: blocks[index] for index in missing}, bar)
                missing = study.advance()
                if not missing:
                    break
            else:
                path = ledger.path(blocks[missing[0]])
                raise StoreError(f"{path} was written {MOST_ATTEMPTS} times and was damaged each time; check the disk")
    return study.result[0]


def _distribute(study_run: StudyRun[T], executor: Executor, stage: int, blocks: Mapping[int, Block], bar: Any) -> None:
    """Submit blocks of a stage, by their indices in it, and wait until their files exist."""
    ledger = Ledger(study_run.ledger)
    futures = {executor.submit(_compute, study_run, stage, index, block.key): block for index, block in blocks.items()}
    for future in as_completed(futures):
        future.result()
        block = futures.pop(future)  # Dask reruns completed tasks of a dead worker while their futures are referenced
        if not ledger.wait_for(block):
            raise WorkError(f"a worker has written {ledger.path(block)}, but the file does not appear here: {SHARED}")
        bar.update(block.passes)


_compute_lock = threading.Lock()  # models and workflows are not thread-safe


def _compute(study_run: StudyRun[T], stage: int, index: int, key: str) -> None:
    """Compute a block in a worker, which starts the study first if necessary."""
    ledger = Ledger(study_run.ledger)
    worker = f"a worker on {socket.gethostname()}"
    if not ledger.folder.is_dir():
        raise WorkError(f"{worker} does not see {ledger.folder}: {SHARED}")
    with _compute_lock:
        try:
            block = _find(study_run, stage, index, key)
            if block is None:
                _started_study.cache_clear()  # the study's files may have changed
                block = _find(study_run, stage, index, key)
        except InfodisError as error:
            raise WorkError(f"{worker} cannot start the study: {error}") from error
        if block is None:
            raise WorkError(
                f"{worker} would compute different numbers: its package versions, its files or the rounding of its "
                "processor differ from those of the process that submitted the block, or it does not see the completed "
                f"blocks in {ledger.folder}"
            )
        if ledger.read(block) is None:
            ledger.write(block, block.compute(batch_size=study_run.batch_size, device=study_run.device))


def _find(study_run: StudyRun[T], stage: int, index: int, key: str) -> Block | None:
    """Return the block of an index in a stage if it has the expected key."""
    study = _started_study(study_run)
    while len(study.stages) <= stage and not study.result:
        if not all(study.ledger.wait_for(block) for block in study.stages[-1]) or study.advance():
            return None
    candidates = [block for blocks in study.stages[stage : stage + 1] for block in blocks[index : index + 1]]
    return candidates[0] if [block.key for block in candidates] == [key] else None


@lru_cache(maxsize=1)
def _started_study(study_run: StudyRun[T]) -> _StartedStudy[T]:
    """Start a study once per process, so that its blocks share the loaded models and the drawn sequences."""
    return _StartedStudy(study_run, study_run.device)
