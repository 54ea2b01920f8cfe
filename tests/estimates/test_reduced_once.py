"""The losses of a draw are reduced once, whatever is computed from its estimates; the regression is expensive."""

import pytest

import infodis_stats as ids
from estimators import Regression

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
FIRST, SECOND = LAW.sample(3, length=12, seed=1), LAW.sample(3, length=12, seed=2)


@pytest.fixture
def reduced(monkeypatch):
    """The number of loss arrays in each reduction, from now on."""
    calls, reductions = [], Regression.reductions

    def counted(self, plan, losses):
        calls.append(len(losses))
        return reductions(self, plan, losses)

    monkeypatch.setattr(Regression, "reductions", counted)
    return calls


@pytest.mark.parametrize("replicates", [1, 4])
def test_of_likelihoods(reduced, replicates):
    ids.estimate_nll(LAW, FIRST, "regression", replicates=replicates)
    assert reduced == [1] * 3


@pytest.mark.parametrize(("coupled", "each"), [(True, [3]), (False, [1, 1])])
def test_of_ratios_with_their_correlation(reduced, coupled, each):
    ids.estimate_log_ratio(LAW, FIRST, SECOND, "regression", replicates=1, coupled=coupled)
    assert reduced == each * 3


def test_of_sides_of_unequal_length(reduced):
    ids.estimate_log_ratio(LAW, FIRST, SECOND[:, :9], "regression", replicates=4)
    assert reduced == [1, 1] * 3


def test_of_every_round(reduced):
    result = ids.estimate_nll(LAW, FIRST[:1], "regression", replicates=2, precision=0.05, interval="student-t")
    assert (result["reached"].item(), result["replicates"].item()) == (True, 16)  # 2, 4, 8, 16
    assert reduced == [1] * 4


def test_mutants_of_a_scan_are_reduced_together(reduced):
    ids.scan_substitutions(LAW, FIRST[0], "regression", positions=[1, 4, 5, 7, 8, 9], replicates=2)
    assert reduced == [16, 2]
