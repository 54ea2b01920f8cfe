"""The grid of a study contains the requested cells in order, except those with too few passes."""

import itertools

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Cell, Coupled, InputError, PassesError, estimator, make_pairs, make_targets
from infodis_stats.studies.design.grid import lay_out
from tests.support.small_studies import SMALL_STUDY

ITEMS = [*make_targets([[0, 1, 0], [1, 1, 2]]), *make_targets([[0, 1, 2, 3, 0, 1]], context=1)]
SAMPLERS = [estimator(name) for name in ("time-free", "chain", "exhaustive")]
PASSES = (2, 3, 8)
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)


def tried_separately(items, samplers, passes, replicates):
    """Try every cell separately."""
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


def test_the_grid_contains_the_cells_that_work_singly():
    grid = lay_out(ITEMS, SAMPLERS, PASSES, 4, LAW)
    tried = list(tried_separately(ITEMS, SAMPLERS, PASSES, 4))
    expected = [one for one in tried if not isinstance(one, str)]
    assert 0 < len(expected) < len(tried)
    assert list(zip(map(tuple, grid.slots.tolist()), grid, strict=True)) == expected
    assert [grid[place] for place in range(len(grid))] == list(grid) == grid[:]
    assert grid[2:5] == list(grid)[2:5]
    assert grid[-1] == list(grid)[-1]
    assert set(grid.not_run) == {one for one in tried if isinstance(one, str)}


def test_values_are_placed_at_their_cells():
    grid = lay_out(ITEMS, SAMPLERS, PASSES, 4, LAW)
    values = np.random.default_rng(0).normal(size=(len(grid), 2))
    filled = grid.filled(values)
    assert filled.shape == (3, 3, 3, 2)
    for slot, value in zip(grid.slots.tolist(), values, strict=True):
        np.testing.assert_array_equal(filled[tuple(slot)], value)
    assert np.isnan(filled).sum() == filled.size - values.size > 0


def test_pairs_of_unequal_length_need_passes_for_both_sides():
    pairs = make_pairs([[0, 1, 2], [0, 1, 2]], [[0, 1, 0], [0, 1, 0, 1, 1, 1]], 1)
    grid = lay_out(pairs, [Coupled(estimator("exhaustive"))], (4,), 2, LAW)
    assert grid.slots.tolist() == [[0, 0, 0]]
    assert len(grid.not_run) == 1


def test_grids_too_large_for_memory_are_rejected_at_once():
    with pytest.raises(InputError, match="does not fit into memory"):
        lay_out(ITEMS, SAMPLERS, (2**27,), 4, LAW)


def test_an_estimator_that_can_never_run_is_refused_before_anything_runs(tmp_path):
    text = SMALL_STUDY.replace('"exhaustive"', '"chain", "chain+antithetic"').replace(
        "passes = [4, 8, 31]", "passes = [1]"
    )
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(ids.InputError) as caught:
        ids.run_study(tmp_path / "study.toml", ledger=tmp_path / "ledger")
    assert str(caught.value).startswith("chain cannot run with any of the passes in any group (chain needs at least 3 ")
    assert str(caught.value).endswith("; the same holds for chain+antithetic")
    assert not list((tmp_path / "ledger").glob("*/*.npy"))


def test_control_one_group_is_enough_to_run(tmp_path):
    """Three passes suffice for a chain of the three positions of one of the groups."""
    text = SMALL_STUDY.replace('"exhaustive"', '"chain"').replace("passes = [4, 8, 31]", "passes = [3]")
    (tmp_path / "study.toml").write_text(text)
    tree = ids.run_study(tmp_path / "study.toml")
    draws = tree["draws"]["estimate"].sel(estimator="chain")
    assert draws.isel(item=slice(4)).isnull().all()
    assert draws.isel(item=slice(4, None)).notnull().all()
