"""Blocks: a section is split into blocks, and each key depends on everything that determines its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import Blocks, Cell, estimator, make_targets
from infodis_stats.execution import blocks
from infodis_stats.execution.blocks import blocks_of
from infodis_stats.models import Denoiser, DenoiserConfig
from tests.support.sections import LAW, TOKENS, section


def keys(one, device="cpu"):
    return [block.key for block in blocks_of(one, device)]


def test_blocks_partition_the_cells_into_runs_of_equal_passes(monkeypatch):
    monkeypatch.setattr(blocks, "LAW_PASSES", 30)  # two cells of 4 passes, one of 8
    one = section()
    found = blocks_of(one, "cpu")
    assert [(block.part.start, block.part.stop) for block in found][:4] == [(0, 2), (2, 4), (4, 5), (5, 6)]
    assert [cell for block in found for cell in one.cells[block.part]] == one.cells
    for block in found:
        cells = one.cells[block.part]
        assert len({(cell.sampler, cell.passes) for cell in cells}) == 1
        assert block.passes == sum(cell.planned_passes for cell in cells)
        assert len(block) == len(cells)
    assert len(set(keys(one))) == len(found)
    assert blocks_of(section(names=()), "cpu") == []


def test_equal_sections_have_equal_keys():
    assert keys(section()) == keys(section())


CHANGES = {
    "seed": {"seed": 1},
    "child of a seed": {"seed": np.random.SeedSequence(0).spawn(1)[0]},
    "tokens": {"tokens": np.flip(TOKENS)},
    "context": {"context": 1},
    "replicates": {"replicates": 4},
    "model": {"model": ids.MarkovChain.random(order=1, alphabet="ACGT", seed=6)},
    "name": {"name": "others"},
    "columns": {"columns": {"mean": (1,)}},
    "setting": {"setting": "0.9"},
    "may fail": {"may_fail": True},
    "passes": {"passes": (5, 9)},
    "samplers": {"names": ("uniform-count", "time-integral")},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_keys_change_with_everything_that_determines_numbers(change):
    assert not set(keys(section(**change))) & set(keys(section()))


def test_keys_of_named_sequences_depend_on_their_tokens():
    names = list("abcde")
    targets = [make_targets(tokens, names=names) for tokens in (TOKENS, np.flip(TOKENS))]
    assert [one.key for one in targets[0]] == [one.key for one in targets[1]]
    cells = [[Cell(estimator("chain"), one, 8, 3) for one in some] for some in targets]
    first, second = (keys(replace(section(), cells=some)) for some in cells)
    assert first != second


@pytest.mark.parametrize("what", ["code_digest", "versions"])
def test_different_code_or_versions_change_all_keys(monkeypatch, what):
    before = set(keys(section()))
    monkeypatch.setattr(blocks, what, lambda *_: {"numpy": "0"})
    assert not before & set(keys(section()))


def test_a_processor_that_rounds_differently_changes_the_keys_of_laws(monkeypatch):
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig("ACGT", length=8, layers=1, width=16, heads=2))
    laws, networks = keys(section()), keys(section(model=network))
    monkeypatch.setattr(blocks, "arithmetic_digest", lambda: "otherwise")
    assert not set(keys(section())) & set(laws)
    assert keys(section(model=network)) == networks


def test_another_type_of_device_changes_all_keys():
    assert not set(keys(section(), "cuda")) & set(keys(section()))
    assert keys(section(), "cuda:1") == keys(section(), "cuda:0")


def test_the_blocks_of_a_model_are_part_of_a_key():
    """A model of the user's own may declare other blocks and have the same fingerprint."""
    one = section()
    of_blocks = [
        replace(one, cells=[replace(cell, item=Blocks(size).of(cell.item)) for cell in one.cells]) for size in (2, 3)
    ]
    assert len({key for each in (one, *of_blocks) for key in keys(each)}) == 3 * len(keys(one))


def test_adding_estimators_and_budgets_keeps_the_other_blocks():
    before = keys(section())
    more = keys(section(names=("uniform-count", "time-free", "chain"), passes=(2, 4, 8)))
    assert set(before) < set(more)


def test_a_block_computes_the_same_as_its_cells_alone():
    one = section()
    (block, *_) = blocks_of(one, "cpu")
    found = block.compute(batch_size=None, device="cpu")
    alone = [next(ids.draw(LAW, [cell], 0)).estimates.mean() for cell in one.cells[block.part]]
    np.testing.assert_array_equal(found["mean"], alone)
    assert (found.problems == "").all()
