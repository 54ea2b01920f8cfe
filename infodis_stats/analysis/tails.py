"""Tail heaviness of the terms of an estimate: Pareto k-hat."""

import numpy as np
from arviz_stats.base import array_stats  # type: ignore[attr-defined]
from numpy.typing import ArrayLike

from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws

__all__ = ["pareto_khat"]


def pareto_khat(terms: ArrayLike) -> FloatArray:
    """Pareto k-hat of the right tail [1]_, roughly the reciprocal of the number of finite moments.

    Do not use it as a warning flag: with 64 to 512 terms, it detected only 14 % of the estimates with unreliable error
    bars at a false positive rate of 10 %, because unreliable samples are those without values from the tail. Warnings
    are derived from the construction of estimators instead.

    Parameters
    ----------
    terms : array_like, shape (..., n)
        Independent terms of an estimate, nats.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN if there are fewer than 25 terms (5 in the tail), terms that are not finite, or too many ties for a fit.

    Raises
    ------
    InputError
        If there is no term.

    References
    ----------
    .. [1] A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry, Pareto smoothed importance sampling, JMLR 25, 2024.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> light, heavy = rng.normal(size=4000), rng.pareto(1.0, size=4000)
    >>> [bool(khat > 0.7) for khat in pareto_khat([light, heavy])]
    [False, True]
    """
    values = as_draws(terms, 1, "a tail")
    khat = np.full(values.shape[:-1], np.nan)
    if values.shape[-1] < 25:
        return khat
    finite = np.where(np.isfinite(values), values, np.nan)
    for cell in np.argwhere(~(np.isnan(finite).any(axis=-1) | all_equal(finite))):
        khat[tuple(cell)] = _right_tail(finite[tuple(cell)])
    return khat


def _right_tail(terms: FloatArray) -> float:
    # The fit is invariant to shifts; shifted to a minimum of 0, its normalising sum cannot vanish.
    above = (terms - terms.min())[None]
    try:
        # Ties cause divisions by zero or an error of the fit.
        with np.errstate(divide="raise", invalid="raise", over="ignore", under="ignore"):
            khat = array_stats.pareto_khat(  # type: ignore[no-untyped-call]
                above, chain_axis=0, draw_axis=1, tail="right", r_eff=1
            )
    except (FloatingPointError, ValueError):
        return np.nan
    return float(khat)
