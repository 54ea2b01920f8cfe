"""An interval from masks that are drawn again: no forward pass, and no belief in normal tails."""

import numpy as np
from numpy.typing import ArrayLike

from infodis_stats.analysis.intervals import Interval, student_t
from infodis_stats.analysis.replicates import as_draws, check_level, check_resamples

__all__ = ["design_bootstrap"]


def design_bootstrap(draws: ArrayLike, baselines: ArrayLike, weights: ArrayLike, level: float = 0.95) -> Interval:
    """Hull of Student's t interval and a bootstrap-t that redraws the masks.

    Losses are taken to hang on their position alone; then new masks give new estimates without the model. It sees what
    Student's t does not: that a sample of masks can miss the few positions that carry the loss. It is blind to how
    losses change with the number of masked positions.

    Parameters
    ----------
    draws : array_like, shape (R,)
        R >= 2 independent replicates of the estimate, nats.
    baselines : array_like, shape (L,)
        Mean loss of each position, nats; for a difference, those of the first side negative.
    weights : array_like, shape (B, R, L)
        Total weight of each position in B new draws of R replicates each.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Its ends are scalars.

    Raises
    ------
    InputError
        If R < 2, the level is outside (0, 1), or there are too few new draws for it.

    Notes
    -----
    Each new draw has ``T* = (mean_r W_r b - sum b) / se*``; the interval is ``[m - q_u se, m - q_l se]`` with the
    quantiles ``q`` of ``T*``. A new draw whose replicates all agree on a wrong value counts as infinite: where they are
    common the interval is infinite, too.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = design_bootstrap([3.9, 4.1, 4.0], [2.0, 2.0], rng.gamma(4.0, 0.25, size=(499, 3, 2)))
    >>> plain = student_t([3.9, 4.1, 4.0])
    >>> bool(found.lower <= plain.lower), bool(found.upper >= plain.upper)
    (True, True)
    """
    check_level(level)
    values = as_draws(draws, 2, "an interval")
    mean_losses, redrawn = np.asarray(baselines, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    check_resamples(len(redrawn), level)
    plain = student_t(values, level)
    again = redrawn @ mean_losses
    error = again.mean(axis=-1) - mean_losses.sum()
    spread = again.std(axis=-1, ddof=1)
    # What differs by rounding is no difference.
    scale = 1e-9 * np.maximum(np.abs(mean_losses).sum(), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = np.where(np.abs(error) <= scale, 0.0, error / np.where(spread <= scale, 0.0, spread))
    tail = (1 - level) / 2
    low, high = np.quantile(studentised, [tail, 1 - tail], method="inverted_cdf")
    own = values.std(ddof=1)
    mean = values.mean()
    # No spread at all and an infinite quantile: nothing is known, rather than NaN.
    ends = [mean - (quantile * own if own > 0 or np.isfinite(quantile) else quantile) for quantile in (high, low)]
    return Interval(np.minimum(plain.lower, ends[0]), np.maximum(plain.upper, ends[1]))
