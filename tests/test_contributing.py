"""CONTRIBUTING's four steps, followed: a design written in a few lines is an estimator in every respect."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import infodis_stats as ids
from estimators import registry


@dataclass(frozen=True)
class Weyl:
    """Levels a golden section apart, from a random start; independent keys."""

    name: ClassVar[str] = "weyl"
    summary: ClassVar[str] = "levels a golden section apart, from a random start; independent keys"
    dependence: ClassVar[str] = "other"

    def points(self, dimension, passes, rng):
        points = rng.random((dimension, passes)).T
        points[:, 0] = (points[0, 0] + np.arange(passes) * (5**0.5 - 1) / 2) % 1.0
        return points


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(registry.DESIGNS, Weyl.name, Weyl())


def test_a_new_design_is_named_estimated_and_unbiased(registered):
    name = "uniform-count+weyl"
    assert name in ids.estimator_names()
    assert ids.estimator(name).name == name
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=6, seed=1)
    draws = ids.estimator(name).sample(law, tokens, passes=4, replicates=4000, rng=0)[0]
    assert abs(draws.mean() - law.nll(tokens)[0]) < 4 * draws.std() / np.sqrt(len(draws))
    result = ids.estimate_nll(law, tokens, name, passes=8)
    assert result["interval"].item() == "student-t"  # its passes tell nothing of their error


def test_control_it_is_unknown_before(registered, monkeypatch):
    monkeypatch.delitem(registry.DESIGNS, Weyl.name)
    with pytest.raises(ids.InputError, match="there is no estimator"):
        ids.estimator("uniform-count+weyl")
