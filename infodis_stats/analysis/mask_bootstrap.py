"""A bootstrap-t interval that redraws the masks of a design, without forward passes of the model."""

import numpy as np
from numpy.typing import ArrayLike

from infodis_stats.analysis.intervals import Interval, student_t
from infodis_stats.analysis.replicates import as_draws, check_level, check_resamples

__all__ = ["design_bootstrap"]


def design_bootstrap(draws: ArrayLike, baselines: ArrayLike, weights: ArrayLike, level: float = 0.95) -> Interval:
    """Convex hull of Student's t interval and a bootstrap-t interval that redraws the masks.

    The bootstrap assumes that a loss depends on its position alone, so redrawn masks give new estimates without the
    model. Unlike Student's t, it accounts for samples of masks that miss the few positions with most of the loss. It
    ignores how losses depend on the other masked positions.

    Parameters
    ----------
    draws : array_like, shape (R,)
        R >= 2 independent replicates of the estimate, nats.
    baselines : array_like, shape (L,)
        Mean loss of each position, nats; negated for the first side of a difference.
    weights : array_like, shape (B, R, L)
        Total weight of each position in B bootstrap samples of R replicates each.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Scalar ends.

    Raises
    ------
    InputError
        If R < 2, the level is outside (0, 1), or there are too few bootstrap samples for the level.

    Notes
    -----
    Each bootstrap sample gives ``T* = (mean_r W_r b - sum b) / se*``. The bootstrap-t interval is
    ``[m - q_u se, m - q_l se]`` with the quantiles ``q`` of ``T*``. If all replicates of a bootstrap sample agree on a
    wrong value, ``T*`` is infinite; if this is frequent, so is the interval.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> interval = design_bootstrap([3.9, 4.1, 4.0], [2.0, 2.0], rng.gamma(4.0, 0.25, size=(499, 3, 2)))
    >>> plain = student_t([3.9, 4.1, 4.0])
    >>> bool(interval.lower <= plain.lower), bool(interval.upper >= plain.upper)
    (True, True)
    """
    check_level(level)
    values = as_draws(draws, 2, "an interval")
    mean_losses, redrawn = np.asarray(baselines, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    check_resamples(len(redrawn), level)
    plain = student_t(values, level)
    resampled = redrawn @ mean_losses
    error = resampled.mean(axis=-1) - mean_losses.sum()
    spread = resampled.std(axis=-1, ddof=1)
    # Differences within rounding count as 0.
    scale = 1e-9 * np.maximum(np.abs(mean_losses).sum(), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        studentised = np.where(np.abs(error) <= scale, 0.0, error / np.where(spread <= scale, 0.0, spread))
    tail = (1 - level) / 2
    low, high = np.quantile(studentised, [tail, 1 - tail], method="inverted_cdf")
    sd = values.std(ddof=1)
    mean = values.mean()
    # If the spread is 0 and the quantile infinite, the end is infinite instead of NaN.
    ends = [mean - (quantile * sd if sd > 0 or np.isfinite(quantile) else quantile) for quantile in (high, low)]
    return Interval(np.minimum(plain.lower, ends[0]), np.maximum(plain.upper, ends[1]))
