"""The grid of a study of estimators: items x samplers x passes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from estimators import Auto, Cell, Contrast, Estimator, InputError, Model, Pair, PassesError, Target
from estimators.estimator import estimator_of
from estimators.model import gives_ratios, noise_of, prices_masks

__all__ = ["Grid", "Samplers", "check_runs", "lay_out", "settled_cells"]

Samplers = Sequence[Estimator | Contrast]


@dataclass(frozen=True, eq=False)
class Grid(Sequence[Cell]):
    """The cells of a grid, each made on access: a large study has millions.

    Attributes
    ----------
    items : sequence of Target or of Pair
    samplers : sequence of Estimator or of Contrast
    passes : sequence of int
    replicates : int
    slots : array of int64, shape (cell, 3)
        Indices of the item, the sampler and the passes of each cell, ordered by sampler, then by passes.
    not_run : tuple of str
        Why samplers cannot work with some numbers of passes, or with the model.
    refused : mapping of str to str
        The first reason, by the name of the sampler.
    """

    items: Sequence[Target | Pair]
    samplers: Samplers
    passes: Sequence[int]
    replicates: int
    slots: NDArray[np.int64]
    not_run: tuple[str, ...]
    refused: Mapping[str, str]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.slots)

    @overload
    def __getitem__(self, index: int) -> Cell: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cell]: ...
    def __getitem__(self, index: int | slice) -> Cell | list[Cell]:
        """Return a cell, or a list of cells."""
        if isinstance(index, slice):
            return [self._cell(*slot) for slot in self.slots[index].tolist()]
        return self._cell(*self.slots[index].tolist())

    def __iter__(self) -> Iterator[Cell]:
        """Iterate over the cells."""
        return (self._cell(*slot) for slot in self.slots.tolist())

    def _cell(self, item: int, sampler: int, passes: int) -> Cell:
        return Cell(self.samplers[sampler], self.items[item], self.passes[passes], self.replicates)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of items, samplers and passes."""
        return len(self.items), len(self.samplers), len(self.passes)

    def filled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Put values (cell, ...) on the grid: (item, sampler, passes, ...), NaN where there is no cell."""
        grid = np.full((*self.shape, *values.shape[1:]), np.nan)
        grid[tuple(self.slots.T)] = values
        return grid


def lay_out(
    items: Sequence[Target | Pair], samplers: Samplers, passes: Sequence[int], replicates: int, model: Model
) -> Grid:
    """Lay out the grid, without samplers that the model does not suit, and cells with too few passes for their own."""
    lengths = [tuple((side.length, side.blocks) for side in item.sides) for item in items]
    examples = dict(
        zip(reversed(lengths), reversed(items), strict=True)
    )  # whether a sampler works depends on lengths and blocks alone
    slots: list[NDArray[np.int64]] = []
    not_run: list[str] = []
    reasons: dict[str, str] = {}
    for row, sampler in enumerate(samplers):
        unsuited = _unsuited(sampler, model)
        if unsuited:
            not_run.append(unsuited)
            reasons[sampler.name] = unsuited
            continue
        for column, budget in enumerate(passes):
            refused: dict[object, str] = {}
            for length, item in examples.items():
                Cell(sampler, item, budget, replicates)  # refuses what is too large before it is tried
                try:  # the types do not say that estimators get targets, and contrasts pairs
                    sampler.jobs(item, budget, 1, np.random.default_rng())  # type: ignore[arg-type]
                except PassesError as error:
                    refused[length] = str(error)
            kept = np.array([index for index, length in enumerate(lengths) if length not in refused], dtype=np.int64)
            slots.append(np.stack([kept, np.full_like(kept, row), np.full_like(kept, column)], axis=-1))
            not_run += refused.values()
            for reason in refused.values():
                reasons.setdefault(sampler.name, reason)
    return Grid(
        items,
        samplers,
        passes,
        replicates,
        np.concatenate([np.empty((0, 3), dtype=np.int64), *slots]),
        tuple(not_run),
        reasons,
    )


def _unsuited(sampler: Estimator | Contrast, model: Model) -> str:
    """Say why a sampler cannot run on a model; empty if it can."""
    estimator, name = estimator_of(sampler), type(model).__name__
    if isinstance(estimator, Auto):
        return ""
    if estimator.noise is None:
        return "" if prices_masks(model) else f"{sampler.name} needs the losses of masked tokens, {name} has none"
    if not gives_ratios(model):
        return f"{sampler.name} needs score ratios, {name} has none"
    made_for = noise_of(model) or estimator.noise
    wanted = f"{sampler.name} needs score ratios under {estimator.noise.name} noise"
    return "" if made_for == estimator.noise else f"{wanted}, {name} was made for {made_for.name} noise"


def settled_cells(grid: Grid, model: Model) -> tuple[list[Cell], NDArray[np.int64]]:
    """Return the distinct cells that a model has sampled, and which of them fills each slot of the grid.

    ``auto`` shares the cell of the estimator that it chooses.
    """
    cells: list[Cell] = []
    known: dict[tuple[int, str, int], int] = {}
    owners = []
    for (item, _, column), cell in zip(grid.slots.tolist(), grid, strict=True):
        settled = cell.settled(model)
        owner = known.setdefault((item, settled.sampler.name, column), len(cells))
        if owner == len(cells):
            cells.append(settled)
        owners.append(owner)
    return cells, np.array(owners, dtype=np.int64)


def check_runs(grids: Sequence[Grid]) -> None:
    """Refuse a study in which an estimator has no cell, before anything runs; a frontier lists it as not run instead.

    Raises
    ------
    InputError
        With the reason for the first of its cells.
    """
    ran = {grid.samplers[row].name for grid in grids for row in np.unique(grid.slots[:, 1]).tolist()}
    idle = {name: reason for grid in grids for name, reason in grid.refused.items() if name not in ran}
    if idle:
        name, reason = next(iter(idle.items()))
        others = f"; the same holds for {', '.join(list(idle)[1:])}" if len(idle) > 1 else ""
        raise InputError(f"{name} cannot run with any of the passes in any group ({reason}){others}")
