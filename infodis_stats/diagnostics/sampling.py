"""Verdicts from the sample: whether replicates are independent and identically distributed, as an interval assumes.

Replicates are independent by construction, so R-hat near 1 and an effective sample size near R (reported from 32
replicates on) say nothing about the estimator. These checks detect faults of the random streams, or results that were
concatenated wrongly. Each is family-wise over the sequences at `FALSE_ALARMS`.
"""

import arviz_stats  # noqa: F401  (registers the accessor)
import numpy as np
import scipy
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from infodis_stats.analysis import confidence_sequence, pareto_khat
from infodis_stats.analysis.replicates import FloatArray, all_equal, rounding
from infodis_stats.diagnostics.verdict import Verdict, concise

__all__ = ["rejected", "running_verdicts", "stream_verdicts", "tail_verdicts"]

FALSE_ALARMS = 0.01
"""Chance of a false alarm of one check, over all sequences."""

TAILS_SHARE = 0.1  # of the false alarms: see `tail_verdicts`
FEWEST_OF_HALVES = 8
FEWEST_OF_TAIL = 6
FEWEST_OF_RHAT = 32  # below, R-hat is noise: 1.3 is usual for 8 independent replicates
FEWEST_TO_RUN = 16


def rejected(p_values: ArrayLike) -> NDArray[np.bool_]:
    """Return which tests of a family reject; the chance of any false alarm is at most `FALSE_ALARMS`.

    Bonferroni. NaN, a test that could not be done, does not reject.
    """
    values = np.asarray(p_values, dtype=np.float64)
    return np.asarray(values * values.size < FALSE_ALARMS)


def stream_verdicts(draws: list[FloatArray], labels: list[object]) -> list[Verdict]:
    """Check the random streams: replicates neither drift, nor move together over sequences, nor repeat.

    Parameters
    ----------
    draws : list of arrays of float64
        Replicates of each sequence, in the order in which they were drawn.
    labels : list
        Names of the sequences.

    Notes
    -----
    Three tests, Bonferroni over all of them. Drift: Welch's t between the halves of a sequence's replicates. Common
    movement: Friedman's test of replicates over sequences; sequences that share their random numbers make the standard
    error of a mean over them too small. Repeats: pairs of replicates that agree in every sequence, compared with the
    number expected from ties; this needs four sequences.

    Measured false alarms in percent, nominal 1, for 1 / 16 / 100 sequences (4,000, 2,000, 1,000 results): normal
    0.2 / 0.4 / 0.4 at R = 8, 0.3 / 1.2 / 1.0 at R = 32; gamma of shape 4 0.1 / 0.4 / 0.2 at R = 8. On estimates of the
    committed studies of sequences and texts: 7 of 1,239 results.

    References
    ----------
    M. Friedman, The use of ranks to avoid the assumption of normality, J. American Statistical Association 32, 1937.
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner, Rank-normalization, folding, and localization: an
    improved R-hat, Bayesian Analysis 16, 2021.
    """
    chosen = [(row, label) for row, label in zip(draws, labels, strict=True) if _varies(row, FEWEST_OF_HALVES)]
    if not chosen:
        return []
    series = [row for row, _ in chosen]
    common = min(len(row) for row in series)
    table = np.stack([row[:common] for row in series])
    halves = _halves_p(series)
    together = float(scipy.stats.friedmanchisquare(*table.T).pvalue) if len(series) > 1 else 1.0
    alarms = rejected([*halves, together, _repeats_p(table)])
    reasons = []
    items = tuple(label for (_, label), alarm in zip(chosen, alarms[:-2], strict=True) if alarm)
    if items:
        reasons.append(f"the two halves of the replicates differ significantly ({concise(items)})")
    if alarms[-2]:
        reasons.append("replicates move together over sequences, as if these shared their random numbers")
    if alarms[-1]:
        reasons.append("replicates repeat one another, as if a seed had been used twice")
    measured = _convergence(table)
    if not reasons:
        return [Verdict("streams", "fine", "replicates neither drift, nor move together, nor repeat", "", measured)]
    advice = "join only results of one model and of different seeds; estimate again with one call"
    return [Verdict("streams", "do not use", "; ".join(reasons), advice, measured, items)]


def _varies(draws: FloatArray, fewest: int) -> bool:
    return len(draws) >= fewest and not bool(all_equal(draws))


def _halves_p(series: list[FloatArray]) -> FloatArray:
    """Return the p-value of Welch's test between the halves of each; 1 where both halves are constant."""
    halves = [np.array_split(row, 2) for row in series]
    means, sds, counts = (
        np.array([[summary(half) for half in pair] for pair in halves]).T for summary in (np.mean, _sd, len)
    )
    flat = (sds <= rounding(means)).all(axis=0)  # ties, as of few masks
    test = scipy.stats.ttest_ind_from_stats(
        means[0], np.where(flat, 1.0, sds[0]), counts[0], means[1], sds[1], counts[1], equal_var=False
    )
    return np.where(flat, 1.0, test.pvalue)


def _sd(draws: FloatArray) -> float:
    return float(draws.std(ddof=1))


def _repeats_p(table: FloatArray) -> float:
    """Return a bound on the chance that some pair of replicates agrees in every sequence, given the ties in each."""
    first, second = np.triu_indices(table.shape[1], k=1)
    ties = np.abs(table[:, first] - table[:, second]) <= rounding(table[:, first])
    if not ties.all(axis=0).any():
        return 1.0
    return float(min(1.0, len(first) * np.exp(np.log(ties.mean(axis=1)).sum())))


def _convergence(table: FloatArray) -> str:
    """Return R-hat between the halves and the effective sample size, as in arviz; empty for few replicates."""
    half = table.shape[1] // 2
    if 2 * half < FEWEST_OF_RHAT:
        return ""
    split = table[:, : 2 * half].reshape(len(table), 2, half)
    chains = xr.DataArray(split, dims=("sequence", "chain", "draw"))
    rhat, ess = chains.azstats.rhat(), chains.azstats.ess(method="mean")
    return f"R-hat of halves, median {np.nanmedian(rhat):.2f}; effective {np.nanmedian(ess):.0f} of {2 * half}"


def tail_verdicts(draws: list[FloatArray], labels: list[object]) -> list[Verdict]:
    """Check whether one replicate of a sequence is an outlier, as a heavy tail would give.

    After an alarm, the interval depends on one replicate. No alarm says little: a sample that missed a heavy tail does
    not show it. From 25 replicates on, Pareto k-hat and the sample size that it requires are reported as information.

    Notes
    -----
    Grubbs's test, two-sided, from 6 replicates, Bonferroni over sequences at a tenth of the other checks' false
    alarms: valid replicates are usually skewed, and this test reacts to skewness first. Measured alarms in
    percent for 1 / 16 / 100 sequences (4,000 results): normal 0.1 / 0.1 / 0.1 (nominal 0.1); gamma of shape 4, whose t
    intervals cover 94 %, 0.5 / 0.6 / 0.9 at R = 8, 2 / 6 / 12 at R = 16 and 4 / 17 / 43 at R = 32; exponential, where
    they cover 90 to 93 %, 4 / 12 / 21, 10 / 44 / 87 and 19 / 77 / 100. On estimates of committed studies: 3 of 672
    results of Markov chains, and 62 of 504 of 128 table sequences of length 8, where intervals do undercover.

    References
    ----------
    F. E. Grubbs, Sample criteria for testing outlying observations, Annals of Mathematical Statistics 21, 1950.
    """
    chosen = [(row, label) for row, label in zip(draws, labels, strict=True) if _varies(row, FEWEST_OF_TAIL)]
    if not chosen:
        return []
    alarms = rejected(np.array([_grubbs_p(row) for row, _ in chosen]) / TAILS_SHARE)
    khat = np.array([float(pareto_khat(row)) for row, _ in chosen])
    measured = ""
    if np.isfinite(khat).any():
        largest = float(np.nanmax(khat))
        needs = f"needs {10 ** (1 / (1 - largest)):.0f} replicates" if largest < 1 else "no number is enough"
        measured = f"largest Pareto k-hat {largest:.2f} ({needs})"
    if not alarms.any():
        return [Verdict("tails", "fine", "no replicate is an outlier", "", measured)]
    items = tuple(label for (_, label), alarm in zip(chosen, alarms, strict=True) if alarm)
    reason = f"one replicate is an outlier ({concise(items)}): the interval depends on it"
    return [
        Verdict("tails", "caution", reason, "take more replicates, or an estimator with less variance", measured, items)
    ]


def _grubbs_p(draws: FloatArray) -> float:
    count = len(draws)
    squared = float(((draws - draws.mean()) ** 2).max() / draws.var(ddof=1))
    room = (count - 1) ** 2 - count * squared
    if room <= 0:
        return 0.0
    t = np.sqrt(count * (count - 2) * squared / room)
    return float(min(1.0, 2 * count * scipy.stats.t.sf(t, count - 2)))


def running_verdicts(draws: list[FloatArray], labels: list[object]) -> list[Verdict]:
    """Check that the running mean settles: the intervals of its confidence sequence have a point in common.

    Notes
    -----
    From 16 replicates, Bonferroni over sequences. The confidence sequence covers at all times at once, so identically
    distributed replicates raise false alarms at most at the nominal rate; only a large drift raises an alarm. There was
    no false alarm in 8,000 normal and 1,239 real results.

    See Also
    --------
    infodis_stats.analysis.confidence_sequence
    """
    chosen = [(row, label) for row, label in zip(draws, labels, strict=True) if _varies(row, FEWEST_TO_RUN)]
    if not chosen:
        return []
    level = 1 - FALSE_ALARMS / len(chosen)
    bands = [confidence_sequence(row, level) for row, _ in chosen]
    alarms = [band.lower.max() > band.upper.min() for band in bands]
    last = max(float(band.upper[-1] - band.lower[-1]) / 2 for band in bands)
    measured = f"last half-width at most {last:.3g} nats"
    if not any(alarms):
        return [Verdict("running mean", "fine", "it stays within its anytime-valid band", "", measured)]
    items = tuple(label for (_, label), alarm in zip(chosen, alarms, strict=True) if alarm)
    reason = (
        f"the running mean leaves its anytime-valid band ({concise(items)}): replicates are not identically distributed"
    )
    return [Verdict("running mean", "do not use", reason, "estimate again with one call", measured, items)]
