"""The control variate that the other replicates give: what was drawn too often or too seldom is made up for."""

import numpy as np

from infodis_stats.analysis.replicates import FloatArray, as_draws

__all__ = ["centred"]


def centred(paid: FloatArray, mass: FloatArray, expected: FloatArray | float = 1.0) -> FloatArray:
    """Add to weighted losses what their weights lack, at the mean loss of the other replicates.

    Parameters
    ----------
    paid : array of float64, shape (replicates, ...)
        Weighted losses of at least 2 independent replicates, nats.
    mass : array of float64, shape (replicates, ...)
        Sums of the weights, whose mean is `expected`.
    expected : float or array of float64, broadcastable to (...)

    Returns
    -------
    array of float64, shape (replicates, ...)
        ``paid + (expected - mass) b``, with ``b`` the other replicates' losses over their weights (0 where they have
        none). ``b`` is independent of the replicate's own weights, so this has the mean of ``paid``.

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
    as_draws(paid.T, 2, "a control variate from other replicates")
    others, total = mass.sum(axis=0) - mass, paid.sum(axis=0) - paid
    baseline = np.zeros_like(mass)
    np.divide(total, others, out=baseline, where=others > 1e-12)
    return np.asarray(paid + (expected - mass) * baseline)
