"""The grid of a study: the cells that are asked for, each where it stands, but for those with too few passes."""

import itertools

import numpy as np
import pytest

from estimators import Cell, Coupled, InputError, PassesError, estimator, make_pairs, make_targets
from infodis_stats.studies.design.grid import lay_out

ITEMS = [*make_targets([[0, 1, 0], [1, 1, 2]]), *make_targets([[0, 1, 2, 3, 0, 1]], context=1)]
SAMPLERS = [estimator(name) for name in ("time-free", "chain", "exhaustive")]
PASSES = (2, 3, 8)


def one_by_one(items, samplers, passes, replicates):
    """Try every cell by itself."""
    for (place, sampler), (step, budget), (index, item) in itertools.product(
        enumerate(samplers), enumerate(passes), enumerate(items)
    ):
        cell = Cell(sampler, item, budget, replicates)
        try:
            sampler.jobs(item, budget, 1, np.random.default_rng())
        except PassesError as error:
            yield str(error)
        else:
            yield (index, place, step), cell


def test_cells_are_those_that_work_one_by_one():
    grid = lay_out(ITEMS, SAMPLERS, PASSES, 4)
    tried = list(one_by_one(ITEMS, SAMPLERS, PASSES, 4))
    expected = [one for one in tried if not isinstance(one, str)]
    assert 0 < len(expected) < len(tried)
    assert list(zip(map(tuple, grid.slots.tolist()), grid, strict=True)) == expected
    assert [grid[place] for place in range(len(grid))] == list(grid) == grid[:]
    assert grid[2:5] == list(grid)[2:5]
    assert grid[-1] == list(grid)[-1]
    assert set(grid.not_run) == {one for one in tried if isinstance(one, str)}


def test_values_stand_where_their_cells_do():
    grid = lay_out(ITEMS, SAMPLERS, PASSES, 4)
    values = np.random.default_rng(0).normal(size=(len(grid), 2))
    filled = grid.filled(values)
    assert filled.shape == (3, 3, 3, 2)
    for slot, value in zip(grid.slots.tolist(), values, strict=True):
        np.testing.assert_array_equal(filled[tuple(slot)], value)
    assert np.isnan(filled).sum() == filled.size - values.size > 0


def test_pairs_of_unequal_lengths_are_judged_by_both():
    pairs = make_pairs([[0, 1, 2], [0, 1, 2]], [[0, 1, 0], [0, 1, 0, 1, 1, 1]], 1)
    grid = lay_out(pairs, [Coupled(estimator("exhaustive"))], (4,), 2)
    assert grid.slots.tolist() == [[0, 0, 0]]
    assert len(grid.not_run) == 1


def test_what_does_not_fit_into_memory_is_refused_at_once():
    with pytest.raises(InputError, match="does not fit into memory"):
        lay_out(ITEMS, SAMPLERS, (2**27,), 4)
