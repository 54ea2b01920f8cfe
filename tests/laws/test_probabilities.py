"""Random distributions over finitely many outcomes."""

import numpy as np

from infodis_stats.laws.probabilities import dirichlet


def test_small_dirichlet_probabilities_are_not_rounded_to_zero():
    rows = dirichlet(np.random.default_rng(0), 0.05, (5000, 4))
    assert (rows > 0).all()
    # E = 1/4 and Var = (3/16) / (4 * 0.05 + 1); 4 standard errors of 5000 rows.
    assert np.abs(rows.mean(axis=0) - 0.25).max() < 4 * np.sqrt(3 / 16 / 1.2 / 5000)
    # Tiny values are equally frequent in all columns: the lower tail of Beta(0.05, 0.15) is that of U^(1/0.05).
    assert np.ptp(np.log10(np.quantile(rows, 0.01, axis=0))) < 12
    numpy_rows = np.random.default_rng(0).dirichlet([0.05] * 4, size=5000)
    assert (numpy_rows == 0).any()
