"""Replicates as a labelled data set."""

import numpy as np
import pytest
from scipy import stats

from infodis_stats.results.labels import replicates_dataset


def test_replicates_are_labelled_with_their_interval():
    draws = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 3.0]])
    dataset = replicates_dataset("nll", draws, labels=("sequence", ["x", "y"]), level=0.9, length=[4, 5])
    low, high = stats.t.interval(0.9, 2, draws[0].mean(), stats.sem(draws[0]))
    np.testing.assert_allclose(dataset["nll_ci"].sel(sequence="x"), [low, high])
    assert dataset["nll_se"].values.tolist() == [pytest.approx(stats.sem(draws[0])), 0.0]
    assert dataset["nll_ci"].attrs["ci_prob"] == 0.9
    assert dataset["length"].attrs["units"] == "1"
