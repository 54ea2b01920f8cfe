"""Finished questions as lines of files, so that an evaluation continues where it was killed."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock, Timeout

from infodis_stats.estimates.questions import Finish
from infodis_stats.io.files import StoreError, writable_folder
from infodis_stats.results.code_digest import code_digest
from infodis_stats.results.provenance import versions

__all__ = ["QuestionLedger", "opened_ledger"]

DIGITS = 16  # of the digests that name a folder
CHECKSUM = 64  # hexadecimal digits before each line
NUMBERS, COUNTS = ("nll", "nll_se", "degrees"), ("forward_passes", "length")
OF_SCORES = ("rejected", "win", "gaps", "margins")


class QuestionLedger:
    """The results of finished questions, by their keys; one file per process of an evaluation.

    A line is the checksum of what follows it: the key and the numbers as JSON, which has every digit of a float64. A
    line that a kill has cut short does not match its checksum and is not read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, opened_ledger(Path(folder)) as ledger:
    ...     ledger.get("unknown"), len(ledger)
    (None, 0)
    """

    def __init__(self, file: IO[str], known: dict[str, Finish]) -> None:
        self._file, self._known = file, known

    def __len__(self) -> int:
        """Return the number of finished questions."""
        return len(self._known)

    def get(self, key: str) -> Finish | None:
        """Return what was put under a key, by this run or an earlier one; None if nothing was."""
        return self._known.get(key)

    def put(self, key: str, finish: Finish) -> None:
        """Keep a finished question.

        Raises
        ------
        StoreError
            If the file cannot be written; questions that were put before are kept.
        """
        self._known[key] = finish
        text = json.dumps([key, _as_json(finish)], separators=(",", ":"))
        try:
            self._file.write(f"{_checksum(text)} {text}\n")
            self._file.flush()
        except OSError as error:
            raise StoreError(
                f"{self._file.name} cannot be written: {error.strerror or error}; finished questions are kept, and the "
                "same command continues from them"
            ) from error


@contextlib.contextmanager
def opened_ledger(folder: Path, rank: int = 0) -> Iterator[QuestionLedger]:
    """Open the ledger of one process of an evaluation, with what all processes have finished before.

    Parameters
    ----------
    folder : Path
        Created if missing. Questions that other code or other versions of packages have finished are in folders of
        their own, and are not used.
    rank : int, default 0
        Number of the process.

    Raises
    ------
    StoreError
        If the folder cannot be written, or another run uses it.
    """
    made_by = json.dumps([code_digest(__name__), versions()])
    inside = writable_folder(folder / hashlib.sha256(made_by.encode()).hexdigest()[:DIGITS])
    own = inside / f"questions-{rank}.jsonl"
    lock = FileLock(inside / f"lock-{rank}")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreError(f"another run is using {folder}; wait until it ends, or use another folder") from error
    try:
        known = {key: finish for path in sorted(inside.glob("questions-*.jsonl")) for key, finish in _read(path)}
        with own.open("a", encoding="utf-8") as file:
            if own.stat().st_size:
                file.write("\n")  # after a line that may have been cut short
            yield QuestionLedger(file, known)
    except OSError as error:
        raise StoreError(f"{inside} cannot be used: {error.strerror or error}") from error
    finally:
        lock.release()


def _read(path: Path) -> Iterator[tuple[str, Finish]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            checksum, text = line[:CHECKSUM], line[CHECKSUM + 1 :].rstrip("\n")
            if checksum == _checksum(text):
                key, values = json.loads(text)
                yield key, _from_json(values)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(finish: Finish) -> dict[str, Any]:
    values = {field.name: getattr(finish, field.name) for field in fields(Finish)}
    values |= {name: values[name].tolist() for name in (*NUMBERS, *COUNTS)}
    values |= {name: {score: part.tolist() for score, part in values[name].items()} for name in OF_SCORES}
    values["residuals"] = [residuals.tolist() for residuals in finish.residuals]
    return values


def _from_json(values: dict[str, Any]) -> Finish:
    values |= {name: np.array(values[name], dtype=np.float64) for name in NUMBERS}
    values |= {name: np.array(values[name], dtype=np.int64) for name in COUNTS}
    values |= {
        name: {score: np.array(part, dtype=np.float64) for score, part in values[name].items()} for name in OF_SCORES
    }
    values["cautions"] = tuple(tuple(keys) for keys in values["cautions"])
    values["residuals"] = tuple(np.array(residuals, dtype=np.float64) for residuals in values["residuals"])
    return Finish(**values)
