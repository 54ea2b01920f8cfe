"""A control variate for weighted losses: correction of the total weight by the mean loss of the other replicates."""

import numpy as np

from infodis_stats.analysis.replicates import FloatArray, as_draws

__all__ = ["centred"]


def centred(weighted: FloatArray, mass: FloatArray, expected: FloatArray | float = 1.0) -> FloatArray:
    """Correct weighted losses for deviations of the total weight from its expectation.

    Parameters
    ----------
    weighted : array of float64, shape (replicates, ...)
        Weighted sums of losses of at least 2 independent replicates, nats.
    mass : array of float64, shape (replicates, ...)
        Sums of the weights.
    expected : float or array of float64, broadcastable to (...)
        Expectation of ``mass``.

    Returns
    -------
    array of float64, shape (replicates, ...)
        ``weighted + (expected - mass) b``, where ``b`` is the weighted mean loss of the other replicates (0 if their
        weights are 0). ``b`` is independent of the replicate, so the expectation is that of ``weighted``.

    Raises
    ------
    InputError
        If there are fewer than 2 replicates.

    Examples
    --------
    >>> import numpy as np
    >>> centred(np.array([[2.0], [4.0]]), np.array([[0.5], [1.0]]))[:, 0]
    array([4., 4.])
    """
    as_draws(weighted.T, 2, "a control variate from other replicates")
    others, total = mass.sum(axis=0) - mass, weighted.sum(axis=0) - weighted
    baseline = np.zeros_like(mass)
    np.divide(total, others, out=baseline, where=others > 1e-12)
    return np.asarray(weighted + (expected - mass) * baseline)
