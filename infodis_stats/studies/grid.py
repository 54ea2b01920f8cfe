"""The grid of a study of estimators: items x samplers x passes."""

from collections.abc import Sequence

import numpy as np

from estimators import Cell, Contrast, Estimator, Pair, PassesError, Target

__all__ = ["Samplers", "Slot", "lay_out"]

Samplers = Sequence[Estimator | Contrast]
Slot = tuple[int, int, int]
"""Where a cell stands: item, sampler, passes."""


def lay_out(
    items: Sequence[Target | Pair], samplers: Samplers, passes: Sequence[int], replicates: int
) -> tuple[dict[Slot, Cell], list[str]]:
    """Lay out the grid; say why where an estimator cannot work with so few passes."""
    cells: dict[Slot, Cell] = {}
    not_run: list[str] = []
    for place, sampler in enumerate(samplers):
        for step, budget in enumerate(passes):
            for index, item in enumerate(items):
                cell = Cell(sampler, item, budget, replicates)  # refuses what is too large before it is tried
                try:  # an estimator is given targets and a contrast pairs, which the types of the grid do not say
                    sampler.jobs(item, budget, 1, np.random.default_rng())  # type: ignore[arg-type]
                except PassesError as error:
                    not_run.append(str(error))
                else:
                    cells[index, place, step] = cell
    return cells, not_run
