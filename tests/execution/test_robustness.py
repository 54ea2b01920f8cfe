"""Studies survive interruptions: fewer repetitions than in ``make robustness``."""

import os

import pytest

from tests.support import robustness
from tests.support.robustness import Warm


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    if not hasattr(os, "fork"):
        pytest.skip("a run is forked from a process that has imported everything")
    with Warm(tmp_path_factory.mktemp("warm")) as runner:
        yield runner


def survived(series, fewest):
    assert series.lost == []
    assert series.tries >= fewest
    assert series.studies > 0


@pytest.mark.slow
def test_kills_at_random_instants(warm, tmp_path):
    survived(robustness.kills(warm, tmp_path, 4, seed=1), 4)


@pytest.mark.slow
def test_fifty_kills_at_random_instants(warm, tmp_path):
    survived(robustness.kills(warm, tmp_path, 50, seed=2), 50)


@pytest.mark.slow
def test_kills_of_a_run_with_two_workers(warm, tmp_path):
    survived(robustness.kills(warm, tmp_path, 10, seed=3, workers=2, densest=0.8), 10)


@pytest.mark.slow
def test_killed_workers(tmp_path):
    survived(robustness.worker_deaths(tmp_path, 3), 3)


@pytest.mark.slow
def test_a_full_disk_at_every_fourth_change_of_a_file(warm, tmp_path):
    survived(robustness.full_disks(warm, tmp_path, step=4), 20)


@pytest.mark.slow
def test_a_full_disk_at_a_few_changes(warm, tmp_path):
    survived(robustness.full_disks(warm, tmp_path, first=5, step=23), 2)


@pytest.mark.slow
def test_small_disks(warm, tmp_path):
    try:
        series = robustness.small_disks(warm, tmp_path, [40, 120, 180])
    except OSError as error:
        pytest.skip(str(error))
    survived(series, 3)


@pytest.mark.slow
def test_flipped_bits(tmp_path):
    survived(robustness.flipped_bits(tmp_path, 20), 20)


@pytest.mark.slow
def test_control_the_comparison_detects_forged_blocks(warm, tmp_path):
    survived(robustness.forged_blocks(warm, tmp_path), 3)
