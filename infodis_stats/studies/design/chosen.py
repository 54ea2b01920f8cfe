"""What ``auto`` chooses in the cells of a study."""

from collections.abc import Mapping, Sequence

import numpy as np

from estimators import Auto, Contrast, Estimator
from estimators.estimator import estimator_of
from infodis_stats.studies.design.grid import Grid, Samplers
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import Group

__all__ = ["Chosen", "chosen_samplers"]

Chosen = Mapping[tuple[str, str, int], Samplers]
"""What `auto` chooses: by the name of the group, that of the sampler, and the passes."""


def chosen_samplers(
    subjects: Sequence[Subject], grouped: Sequence[Sequence[Group]], grids: Sequence[Grid]
) -> dict[tuple[str, str, int], Samplers]:
    """Return what ``auto`` chooses for the items of each group, each choice once.

    Parameters
    ----------
    subjects : sequence of Subject
    grouped : sequence of sequence of Group
        The groups of each subject.
    grids : sequence of Grid
        The grid of each subject, of the items of its groups.
    """
    chosen: dict[tuple[str, str, int], dict[str, Estimator | Contrast]] = {}
    for subject, groups, grid in zip(subjects, grouped, grids, strict=True):
        names = [group.name for group in groups for _ in group.items]
        choosing = np.array([isinstance(estimator_of(sampler), Auto) for sampler in grid.samplers])
        for item, row, column in grid.slots[choosing[grid.slots[:, 1]]].tolist():
            sampler, passes = grid.samplers[row], grid.passes[column]
            settled = sampler.settled(grid.items[item], passes, subject.model)
            chosen.setdefault((names[item], sampler.name, passes), {})[settled.name] = settled
    return {cell: list(samplers.values()) for cell, samplers in chosen.items()}
