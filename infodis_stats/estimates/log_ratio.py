"""Log-likelihood ratios of pairs, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from estimators import Estimator, Model, Pair, make_pairs
from estimators.evaluate import Progress
from estimators.target import Context, Tokens
from infodis_stats.estimates.coupling import CONTRAST_VARIABLES, contrast_named, contrast_variables
from infodis_stats.estimates.pipeline import Quantity, estimate
from infodis_stats.estimates.settings import Device, Execution, IntervalRequest, SamplingPlan

__all__ = ["estimate_log_ratio", "log_ratio_of"]


def estimate_log_ratio(
    model: Model,
    first: Tokens,
    second: Tokens,
    estimator: str | Estimator = "auto",
    *,
    coupled: bool = True,
    passes: int = 16,
    replicates: int = 8,
    precision: float | str | None = None,
    most_passes: int = 4096,
    seed: int = 0,
    context: Context = None,
    second_context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    interval: str = "auto",
    simultaneous: bool = False,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``log p(first | context) - log p(second | context)`` of each pair, with a confidence interval.

    Parameters
    ----------
    model : Model
    first, second : array of int, shape (pair, length), or sequence of arrays of int
        The sides of a pair may differ in length. Nothing is broadcast.
    estimator : str or Estimator, default "auto"
    coupled : bool, default True
        Whether the two sides share their masks.
    passes : int, default 16
        Forward passes that one replicate may use per sequence; a pair costs twice that.
    context : int, array of bool, sequence of arrays of bool, or None
        As in `estimate_nll`, for both sides, which must be given the same tokens.
    replicates, precision, most_passes, seed, names, level, interval, simultaneous, batch_size, device, progress
        As in `estimate_nll`.
    second_context : int, array of bool, sequence of arrays of bool, or None
        Context of the second side, where it differs.

    Returns
    -------
    xarray.Dataset
        ``log_ratio``, ``log_ratio_se (pair)``, ``log_ratio_ci (pair, ci_bound)``, ``log_ratio_replicate (pair,
        replicate)`` in nats; ``correlation (pair)`` of the two sides' estimates over replicates, and ``coupling_gain
        (pair)``, the variance of independent sides over the variance of the difference; ``interval``, ``degrees``,
        ``forward_passes (pair)``, ``cautions (pair, caution)``, and ``exact`` under a law. ``reached``, ``replicates``
        and ``failed (pair)`` as in `estimate_nll`.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on every pair.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: both sides with
    the same masks (Equation 18).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> first, second = law.sample(2, length=8, seed=1), law.sample(2, length=8, seed=2)
    >>> result = ids.estimate_log_ratio(law, first, second, passes=8, replicates=4)
    >>> result["log_ratio_ci"].dims
    ('pair', 'ci_bound')
    """
    pairs = make_pairs(first, second, context, names, second_context=second_context)
    return estimate(
        log_ratio_of(model, pairs, estimator, names, coupled=coupled),
        SamplingPlan(passes, replicates, seed, precision, most_passes),
        IntervalRequest(interval, level, simultaneous),
        Execution(batch_size, device, progress),
    )


def log_ratio_of(
    model: Model, pairs: Sequence[Pair], estimator: str | Estimator, names: Sequence[str] | None, *, coupled: bool
) -> Quantity:
    """Return the log ratio of pairs as a quantity to estimate."""
    return Quantity(
        name="log_ratio",
        unit="pair",
        models=(model, model),
        sampler=contrast_named(estimator, coupled=coupled),
        items=pairs,
        names=names,
        variables=lambda outcome: contrast_variables(outcome.kept),
        labels=CONTRAST_VARIABLES,
    )
