"""Sampling checks: silent on sound replicates, and each fault is detected."""

import numpy as np
import pytest

from infodis_stats.diagnostics.sampling import FALSE_ALARMS, running_verdicts, stream_verdicts, tail_verdicts
from tests.support.stat_asserts import assert_rate

CHECKS = {"streams": stream_verdicts, "tails": tail_verdicts, "running mean": running_verdicts}


def normal(sequences, replicates, seed=0):
    return 20 + np.random.default_rng(seed).normal(size=(sequences, replicates))


def verdict(check, table):
    (found,) = CHECKS[check](list(table), list(range(len(table))))
    assert found.check == check
    return found


@pytest.mark.parametrize("check", CHECKS)
def test_normal_replicates_raise_no_alarm(check):
    """300 results of 10 sequences: at most 1 % false alarms, plus four binomial standard deviations."""
    alarms = sum(verdict(check, normal(10, 16, seed)).verdict != "fine" for seed in range(300))
    if alarms > 300 * FALSE_ALARMS:
        assert_rate(alarms, 300, FALSE_ALARMS)


def test_a_drift_is_detected():
    table = normal(20, 16)
    table[3, 8:] += 8
    found = verdict("streams", table)
    assert found.verdict == "do not use"
    assert "halves of the replicates differ significantly (3)" in found.reason
    alone = verdict("streams", table[3:4])
    assert alone.verdict == "do not use"


def test_rhat_and_effective_size_are_reported_only_for_large_samples():
    assert verdict("streams", normal(5, 30)).measured == ""
    measured = verdict("streams", normal(50, 400)).measured
    rhat = float(measured.split("median ")[1].split(";")[0])
    effective = float(measured.split("effective ")[1].split()[0])
    assert rhat < 1.01  # within 1/400 of 1 for iid draws
    assert 0.8 * 400 < effective < 1.2 * 400
    drifting = normal(50, 400) + np.repeat([0.0, 5.0], 200)
    assert float(verdict("streams", drifting).measured.split("median ")[1].split(";")[0]) > 1.5


def test_shared_random_numbers_are_detected_only_across_sequences():
    shared = np.random.default_rng(1).normal(size=16)
    table = normal(12, 16, 2) + 2 * shared
    found = verdict("streams", table)
    assert found.verdict == "do not use"
    assert "move together" in found.reason
    assert all(verdict("streams", row[None]).verdict == "fine" for row in table)


def test_a_reused_seed_is_detected():
    table = normal(5, 8, 3)
    found = verdict("streams", np.concatenate([table, table], axis=1))
    assert found.verdict == "do not use"
    assert "used twice" in found.reason


def test_ties_among_few_masks_are_not_repeats():
    """With four possible values a quarter of the pairs of replicates are tied, sometimes in all sequences at once."""
    rng = np.random.default_rng(4)
    tables = [rng.integers(4, size=(4, 12)) * 1.0 for _ in range(100)]
    together = [np.unique(table, axis=1).shape[1] < 12 for table in tables]
    assert sum(together) > 10
    alarms = sum(verdict("streams", table).verdict != "fine" for table in tables)
    if alarms > 100 * FALSE_ALARMS:
        assert_rate(alarms, 100, FALSE_ALARMS)


def test_an_outlying_replicate_is_detected():
    table = normal(30, 8, 5)
    assert verdict("tails", table).verdict == "fine"
    table[7, 2] += 60
    found = verdict("tails", table)
    assert found.verdict == "caution"
    assert "(7)" in found.reason
    assert found.measured == ""  # 8 replicates are too few to fit a tail


def test_khat_is_reported_without_a_verdict():
    heavy = np.random.default_rng(6).pareto(1.5, size=(1, 400))
    light = np.random.default_rng(6).uniform(size=(1, 400))
    assert "needs" in verdict("tails", light).measured or "no number" in verdict("tails", light).measured
    assert verdict("tails", light).verdict == "fine"
    assert "k-hat" in verdict("tails", heavy).measured


def test_an_unstable_running_mean_is_detected():
    table = normal(3, 64, 7)
    assert verdict("running mean", table).verdict == "fine"
    table[1] += np.linspace(0, 12, 64)
    found = verdict("running mean", table)
    assert found.verdict == "do not use"
    assert "(1)" in found.reason


def test_unequal_numbers_of_replicates_are_accepted():
    draws = [normal(1, count, count)[0] for count in (8, 12, 30)]
    for check in CHECKS.values():
        (found,) = check(draws, ["a", "b", "c"])
        assert found.verdict == "fine"


@pytest.mark.parametrize("check", CHECKS)
def test_points_and_few_replicates_have_no_verdicts(check):
    points, few = [np.full(32, 3.0)], [np.arange(4.0)]
    assert CHECKS[check](points, ["a"]) == []
    assert CHECKS[check](few, ["a"]) == []
