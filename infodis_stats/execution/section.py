"""Sections: the cells that a study draws, and the statistics that it stores of each draw."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, Draw, Model

__all__ = ["Columns", "Section", "Workflow"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Section:
    """Cells of one model, drawn from one seed, and the statistics to store of each.

    Attributes
    ----------
    name : str
    model : Model
    cells : sequence of Cell
    seed : int or SeedSequence
        Seed from which the random streams of all cells derive.
    columns : mapping of str to tuple of int
        Names and shapes of the stored statistics; all are float64.
    keep : callable
        Maps a draw to a value for each column.
    setting : str
        Anything other than the draws on which the stored values depend; part of the blocks' keys.
    may_fail : bool
        True: a cell on which the model fails is recorded as failed. False: it ends the study with an error.
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
        """Structured dtype of the record of a cell."""
        return np.dtype([(name, "<f8", shape) for name, shape in self.columns.items()])


@dataclass(frozen=True, eq=False)
class Columns:
    """The stored statistics of some cells of a section.

    Attributes
    ----------
    records : structured array, shape (cell,)
        NaN where the model failed.
    problems : array of str, shape (cell,)
        Error message where the model failed, otherwise empty.
    """

    records: NDArray[np.void]
    problems: NDArray[np.str_]

    @classmethod
    def of(cls, section: Section, draws: Iterable[Draw]) -> "Columns":
        """Reduce draws to the statistics of a section."""
        records, problems = [], []
        for draw in draws:
            record = np.full((), np.nan, section.dtype)
            if draw.problem is None:
                for name, value in section.keep(draw).items():
                    record[name] = value
            records.append(record)
            problems.append((draw.problem or "")[:LONGEST])
        return cls(np.array(records, section.dtype), np.array(problems, dtype=np.str_))

    def __getitem__(self, column: str) -> NDArray[np.float64]:
        """Return a column: shape (cell, ...)."""
        values: NDArray[np.float64] = self.records[column]
        return values


LONGEST = 1000  # stored characters of an error message

Workflow = Generator[Sequence[Section], Sequence[Columns], T]
"""A study as a generator: yields the sections of each stage, receives their columns, and returns the result."""
