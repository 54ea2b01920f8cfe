"""Negative log-likelihoods of sequences, with their error bars."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from estimators import Estimator, Model, Target, make_targets
from estimators.evaluate import Progress
from estimators.target import Context, Tokens
from infodis_stats.estimates.pipeline import Quantity, estimate
from infodis_stats.estimates.settings import Device, Execution, IntervalRequest, SamplingPlan, named_estimator

__all__ = ["estimate_nll", "nll_of"]


def estimate_nll(
    model: Model,
    tokens: Tokens,
    estimator: str | Estimator = "auto",
    *,
    passes: int = 16,
    replicates: int = 8,
    precision: float | str | None = None,
    most_passes: int = 4096,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    interval: str = "auto",
    simultaneous: bool = False,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate ``-log p(scored tokens | context)`` of each sequence, with a confidence interval.

    Parameters
    ----------
    model : Model
        A law, a network, or anything with ``token_nll``.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "auto"
        See ``infodis-stats estimators``.
    passes : int, default 16
        Forward passes that one replicate may use per sequence; the total is ``passes * replicates``.
    replicates : int, default 8
        Independent replicates. Most designs tell their error from within, so that one will do; others need 2. Many
        passes in few replicates serve the regression best: on text, one of 128 passes has about 6 times less variance
        than 8 of 16.
    precision : float or str, optional
        Half-width that the interval of each sequence should have: nats such as 0.05, or a share of the estimate such as
        ``"5%"``. Replicates are added in rounds until it is reached or the budget is spent; the first round has
        ``replicates``. See `infodis_stats.estimates.precision` for the rule and its coverage.
    most_passes : int, default 4096
        With a precision, the budget of passes per sequence.
    seed : int, default 0
    context : int, array of bool, sequence of arrays of bool, or None
        The first ``context`` tokens are given, or the positions marked True: never masked, never scored.
    names : sequence of str, optional
        Distinct names of the sequences; their random numbers then hang on the names instead of the content.
    level : float, default 0.95
        Confidence level.
    interval : str, default "auto"
        How the error is told: ``auto``, ``student-t``, ``design``, ``hall``, ``design-bootstrap``, ``bca`` or
        ``anytime``.
    simultaneous : bool, default False
        Whether all intervals together cover with the confidence level, instead of each.
    batch_size, device, progress
        See `estimators.evaluate`; they change no number of an exact law.

    Returns
    -------
    xarray.Dataset
        ``nll``, ``nll_se (sequence)``, ``nll_ci (sequence, ci_bound)``, ``nll_replicate (sequence, replicate)`` in
        nats; ``length``, ``estimator`` and ``interval`` (what ``auto`` chose), ``degrees``, ``effective_positions``,
        ``full_mask_ratio``, ``forward_passes (sequence)``, and ``exact`` under a law. The attributes say what made it,
        and under ``cautions`` where the interval cannot be trusted. With a precision, ``reached`` and ``replicates
        (sequence)``; ``nll_replicate`` is padded with NaN; and the attribute ``passes_saved`` counts the passes planned
        beyond these if all sequences had as many replicates as the worst of them needed. Where the model fails on some
        sequences, by a NaN or a probability of 0, the others finish: ``failed (sequence)`` says how, ``nll`` is NaN.

    Raises
    ------
    InputError, ModelError
        One sentence: what, where, what would be right. A model that fails on a sequence is an error if it fails on all.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(2, length=8, seed=1)
    >>> result = ids.estimate_nll(law, tokens, "uniform-count", passes=8, replicates=4, seed=0)
    >>> result["nll_ci"].dims
    ('sequence', 'ci_bound')
    >>> result["nll"].attrs["units"]
    'nat'
    """
    return estimate(
        nll_of(model, make_targets(tokens, context, names), estimator, names),
        SamplingPlan(passes, replicates, seed, precision, most_passes),
        IntervalRequest(interval, level, simultaneous),
        Execution(batch_size, device, progress),
    )


def nll_of(
    model: Model, targets: Sequence[Target], estimator: str | Estimator, names: Sequence[str] | None
) -> Quantity:
    """Return the negative log-likelihood of targets as a quantity to estimate."""
    return Quantity(
        name="nll",
        unit="sequence",
        models=(model,),
        sampler=named_estimator(estimator),
        items=targets,
        names=names,
        variables=lambda outcome: {
            "length": outcome.lengths,
            "effective_positions": [profile.effective_positions for profile in outcome.profiles],
            "full_mask_ratio": [profile.full_mask_ratio for profile in outcome.profiles],
        },
    )
