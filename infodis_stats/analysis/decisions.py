"""Decisions about many estimates at once: which of them are above zero, and which below."""

import numpy as np
from scipy import stats

from infodis_stats.analysis.moments import family_wise
from infodis_stats.analysis.replicates import Estimates, FloatArray

__all__ = ["false_discovery_signs", "family_wise_signs", "signs"]


def signs(estimates: Estimates) -> FloatArray:
    """p-value of the claim that a mean has the sign it shows, each cell for itself.

    Claiming a sign where the value is below a level keeps the chance that this one claim is false below that level. A
    claim is false if the true value is zero or has the other sign.

    Parameters
    ----------
    estimates : Estimates
        Of arrays (...), nats.

    Returns
    -------
    ndarray of float64, shape (...)
        0 where an estimate is sure and not zero, 1 where it is sure to be zero; NaN where there is none.

    Notes
    -----
    Twice the smaller of both one-sided Student-t tests, that is, the two-sided test of zero: below ``1 - level`` where
    Student's interval leaves zero out.

    Examples
    --------
    >>> draws = [[1.0, 1.1, 1.2], [-0.4, 0.1, 0.2], [0.0, 0.0, 0.0]]
    >>> signs(Estimates.of_replicates(draws)).round(3)
    array([0.003, 0.874, 1.   ])
    """
    return np.asarray(np.minimum(1.0, 2 * _one_sided(estimates).min(axis=0)))


def family_wise_signs(estimates: Estimates) -> FloatArray:
    """p-value of the claim that each mean has the sign it shows, adjusted for all claims that could be made.

    Claiming a sign where the value is below a level keeps the chance of any false claim in the table below that level,
    whatever the dependence between cells. A claim is false if the true value is zero or has the other sign.

    Parameters
    ----------
    estimates : Estimates
        As in `signs`. Cells may share random numbers.

    Returns
    -------
    ndarray of float64, shape (...)
        As in `signs`.

    Notes
    -----
    Both one-sided Student-t tests of every cell form one family for Holm's procedure. Holm's adjustment of two-sided
    tests would not do: it is not known to control wrong signs under dependence.

    References
    ----------
    J. P. Shaffer, Control of directional errors with stagewise multiple test procedures, Annals of Statistics 8, 1980.

    Examples
    --------
    >>> draws = [[1.0, 1.1, 1.2], [-0.4, 0.1, 0.2], [0.0, 0.0, 0.0]]
    >>> family_wise_signs(Estimates.of_replicates(draws)).round(3)
    array([0.008, 1.   , 1.   ])
    """
    return np.asarray(family_wise(_one_sided(estimates)).min(axis=0))


def false_discovery_signs(estimates: Estimates, *, independent: bool) -> FloatArray:
    """p-value of the claim that each mean has the sign it shows, adjusted so that few of the claims made are false.

    Claiming a sign where the value is below a level keeps the expected share of false ones among all claims (0 where
    none is made) below that level. A claim is false if the true value is zero or has the other sign.

    Parameters
    ----------
    estimates : Estimates
        As in `signs`.
    independent : bool
        Whether the cells have random numbers of their own, as the pairs of `estimate_log_ratio` have and the mutants of
        `scan_substitutions` have not. Where they have not, values are larger, by about the logarithm of their number.

    Returns
    -------
    ndarray of float64, shape (...)
        As in `signs`.

    Notes
    -----
    Independent cells: the procedure of Benjamini and Hochberg on `signs`, which controls wrong signs too [1]_. Others:
    the procedure of Benjamini and Yekutieli [2]_ with both one-sided Student-t tests of every cell as its family, so
    that a false claim is a false rejection.

    Measured share of false claims in percent, nominal 10 (4,000 tables of 30 independent cells, half of them null):
    with R = 3, 4, 8, 16 normal replicates 5, 5, 5, 5; with exponential ones 17, 16, 12, 9. Without adjustment: 18, 15,
    11, 10 and 26, 22, 16, 13.

    References
    ----------
    .. [1] Y. Benjamini, D. Yekutieli, False discovery rate-adjusted multiple confidence intervals for selected
       parameters, J. American Statistical Association 100, 2005.
    .. [2] Y. Benjamini, D. Yekutieli, The control of the false discovery rate in multiple testing under dependency,
       Annals of Statistics 29, 2001.

    Examples
    --------
    >>> found = Estimates.of_replicates([[1.0, 1.1, 1.2], [2.0, 2.1, 2.3], [-0.4, 0.1, 0.2]])
    >>> false_discovery_signs(found, independent=True).round(3)
    array([0.004, 0.004, 0.874])
    """
    family = signs(estimates)[None] if independent else _one_sided(estimates)
    known = ~np.isnan(family)
    adjusted = np.full(family.shape, np.nan)
    if known.any():
        adjusted[known] = stats.false_discovery_control(family[known], method="bh" if independent else "by")
    return np.asarray(adjusted.min(axis=0))


def _one_sided(estimates: Estimates) -> FloatArray:
    """p-values (2, ...) of the t tests of each mean not being above, and not being below, zero."""
    statistic = estimates.statistic
    return np.asarray(stats.t.sf(np.stack([statistic, -statistic]), estimates.degrees))
