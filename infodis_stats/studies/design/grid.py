"""The grid of a study of estimators: items x samplers x passes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from estimators import Cell, Contrast, Estimator, Pair, PassesError, Target

__all__ = ["Grid", "Samplers", "lay_out"]

Samplers = Sequence[Estimator | Contrast]


@dataclass(frozen=True, eq=False)
class Grid(Sequence[Cell]):
    """The cells of a grid, each made when it is asked for: a large study has millions.

    Attributes
    ----------
    items : sequence of Target or of Pair
    samplers : sequence of Estimator or of Contrast
    passes : sequence of int
    replicates : int
    slots : array of int64, shape (cell, 3)
        Where each cell stands: item, sampler, passes. Sampler after sampler, and of each, passes after passes.
    not_run : tuple of str
        Why where a sampler cannot work with so few passes.
    """

    items: Sequence[Target | Pair]
    samplers: Samplers
    passes: Sequence[int]
    replicates: int
    slots: NDArray[np.int64]
    not_run: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.slots)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cell]: ...
    def __getitem__(self, index: int | slice) -> Cell | list[Cell]:
        """Return a cell, or some."""
        if isinstance(index, slice):
            return [self._cell(*slot) for slot in self.slots[index].tolist()]
        return self._cell(*self.slots[index].tolist())

    def __iter__(self) -> Iterator[Cell]:
        """Make the cells one after the other."""
        return (self._cell(*slot) for slot in self.slots.tolist())

    def _cell(self, item: int, place: int, step: int) -> Cell:
        return Cell(self.samplers[place], self.items[item], self.passes[step], self.replicates)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of items, samplers and passes."""
        return len(self.items), len(self.samplers), len(self.passes)

    def filled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put values (cell, ...) where their cells stand: (item, sampler, passes, ...), NaN where there is none."""
        grid = np.full((*self.shape, *values.shape[1:]), np.nan)
        grid[tuple(self.slots.T)] = values
        return grid


def lay_out(items: Sequence[Target | Pair], samplers: Samplers, passes: Sequence[int], replicates: int) -> Grid:
    """Lay out the grid, but for cells that an estimator has too few passes for."""
    lengths = [tuple(side.length for side in item.sides) for item in items]
    examples = dict(zip(reversed(lengths), reversed(items), strict=True))  # whether it works depends on lengths alone
    slots: list[NDArray[np.int64]] = []
    not_run: list[str] = []
    for place, sampler in enumerate(samplers):
        for step, budget in enumerate(passes):
            refused: dict[tuple[int, ...], str] = {}
            for length, item in examples.items():
                Cell(sampler, item, budget, replicates)  # refuses what is too large before it is tried
                try:  # an estimator is given targets and a contrast pairs, which the types of the grid do not say
                    sampler.jobs(item, budget, 1, np.random.default_rng())  # type: ignore[arg-type]
                except PassesError as error:
                    refused[length] = str(error)
            kept = np.array([index for index, length in enumerate(lengths) if length not in refused], dtype=np.int64)
            slots.append(np.stack([kept, np.full_like(kept, place), np.full_like(kept, step)], axis=-1))
            not_run += refused.values()
    return Grid(items, samplers, passes, replicates, np.concatenate(slots), tuple(not_run))
