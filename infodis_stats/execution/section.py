"""Sections: what a study draws, and what it keeps of each draw."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, Draw, Model

__all__ = ["Columns", "Course", "Section"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Section:
    """Cells of one model that are drawn from one seed, and what is kept of each.

    Attributes
    ----------
    name : str
    model : Model
    cells : sequence of Cell
    seed : int or SeedSequence
    columns : mapping of str to tuple of int
        Names of what is kept of a cell, and shapes; all are float64.
    keep : callable
        Takes a draw and returns a value for each column.
    setting : str
        What the values hang on beside the draws: with another one they are other values.
    may_fail : bool
        Whether cells that the model fails on are left to the study; otherwise the first one ends it.
    """

    name: str
    model: Model
    cells: Sequence[Cell]
    seed: int | np.random.SeedSequence
    columns: Mapping[str, tuple[int, ...]]
    keep: Callable[[Draw], Mapping[str, ArrayLike]]
    setting: str = ""
    may_fail: bool = False

    @property
    def dtype(self) -> np.dtype[np.void]:
        """What is kept of a cell, as a record."""
        return np.dtype([(name, "<f8", shape) for name, shape in self.columns.items()])


@dataclass(frozen=True, eq=False)
class Columns:
    """What was kept of some cells of a section.

    Attributes
    ----------
    records : structured array, shape (cell,)
        NaN where the model has failed.
    problems : array of str, shape (cell,)
        How the model failed; empty where it did not.
    """

    records: NDArray[np.void]
    problems: NDArray[np.str_]

    @classmethod
    def of(cls, section: Section, draws: Iterable[Draw]) -> "Columns":
        """Keep of draws what a section keeps."""
        records, problems = [], []
        for one in draws:
            record = np.full((), np.nan, section.dtype)
            if one.problem is None:
                for name, value in section.keep(one).items():
                    record[name] = value
            records.append(record)
            problems.append((one.problem or "")[:LONGEST])
        return cls(np.array(records, section.dtype), np.array(problems, dtype=np.str_))

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        """Return a column: shape (cell, ...)."""
        values: NDArray[np.float64] = self.records[column]
        return values


LONGEST = 1000  # symbols of a problem that are kept

Course = Generator[Sequence[Section], Sequence[Columns], T]
"""A study on its way: yields sections, is sent what came of them, and in the end returns its result."""
