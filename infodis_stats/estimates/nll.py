"""Negative log-likelihoods of sequences, with confidence intervals."""

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
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``-log p(scored tokens | context)`` of each sequence, with a confidence interval.

    Parameters
    ----------
    model : Model
        A law, a network, or anything with ``token_nll``.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "auto"
        ``infodis-stats estimators`` lists all names.
    passes : int, default 16
        Forward passes that one replicate may use per sequence; the total is ``passes * replicates``.
    replicates : int, default 8
        Independent replicates. Most designs estimate their variance within a replicate, so one is enough; others need
        2. The regression does best with many passes in few replicates: on text, one replicate of 128 passes has about
        6 times less variance than 8 replicates of 16.
    precision : float or str, optional
        Half-width that the interval of each sequence should have: nats such as 0.05, or a share of the estimate such as
        ``"5%"``. Replicates are added in rounds until it is reached or the budget is spent; the first round has
        ``replicates``. `infodis_stats.estimates.precision.Precision` has the rule and its measured coverage.
    most_passes : int, default 4096
        With a precision, the budget of passes per sequence.
    seed : int, default 0
        Seed from which all streams of masks derive. Bootstrap intervals resample with streams that depend on the draw.
    context : int, array of bool, sequence of arrays of bool, or None
        The first ``context`` tokens are given, or the positions marked True: never masked, never scored.
    names : sequence of str, optional
        Distinct names of the sequences; their random numbers then depend on the names instead of the content.
    level : float, default 0.95
        Confidence level.
    interval : str, default "auto"
        How the standard error is estimated: ``auto``, ``student-t``, ``design``, ``hall``,
        ``design-bootstrap``, ``bca`` or ``anytime``.
    simultaneous : bool, default False
        Whether all intervals together cover with the confidence level, instead of each.
    batch_size, device, progress
        How the model is run: rows per call, device, and a callback; results under an exact law do not depend on them.

    Returns
    -------
    xarray.Dataset
        ``nll``, ``nll_se (sequence)``, ``nll_ci (sequence, ci_bound)``, ``nll_replicate (sequence, replicate)`` in
        nats; ``length``, ``estimator`` and ``interval`` (what ``auto`` chose), ``degrees``, ``effective_positions``,
        ``full_mask_ratio``, ``forward_passes (sequence)``, and ``exact`` under a law. ``cautions (sequence, caution)``
        is True where an interval may not be valid, by construction. The attributes are the provenance. With a
        precision also ``reached`` and ``replicates (sequence)``; ``nll_replicate`` is padded with NaN; the attribute
        ``passes_saved`` is the number of passes saved compared with giving every sequence the largest number of
        replicates. If the model fails on some sequences, by a NaN or a probability of 0, the others finish: ``failed
        (sequence)`` gives the reason, and ``nll`` is NaN.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on every sequence.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: the likelihood as an
    integral over masks (Equation 15, Theorem 4.1; Equation 16, Corollary 3.7), given a context (Equation 17,
    Theorem 4.2).

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
            "effective_positions": [item.profile.effective_positions for item in outcome.kept],
            "full_mask_ratio": [item.profile.full_mask_ratio for item in outcome.kept],
        },
    )
