"""Negative log-likelihoods of sequences, with their error bars."""

from collections.abc import Sequence

import torch
import xarray as xr

from estimators import Cell, Estimator, Model, make_targets
from estimators.evaluate import Progress
from estimators.target import Context, Tokens
from infodis_stats.analysis import level_of_each
from infodis_stats.estimates.origin import cautions_found, what_made_it
from infodis_stats.estimates.outcome import outcome_of
from infodis_stats.estimates.precision import Precision, draw_rounds, padded
from infodis_stats.estimates.remainder import check_precision, known_part, remainder_variables, remainders, shifted
from infodis_stats.estimates.request import named_estimator, rows_a_call
from infodis_stats.results.error_bars import check_interval, error_bars
from infodis_stats.results.labels import replicates_dataset

__all__ = ["estimate_nll"]


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
    device: torch.device | str = "cpu",
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
    sampler = named_estimator(estimator)
    targets = make_targets(tokens, context, names)
    own_level = level_of_each(level, len(targets), simultaneous=simultaneous)
    rule = None if precision is None else Precision.of(precision, most_passes, own_level, interval)
    if rule is not None:
        rule.check_budget(passes, replicates)
        check_precision(sampler)
    cells = [Cell(sampler, target, passes, replicates) for target in targets]
    check_interval(model, cells, interval, level)
    rows = rows_a_call(model, batch_size)
    draws = draw_rounds(model, cells, seed, rule, batch_size=rows, device=device, progress=progress)
    outcome = outcome_of([model], draws, batch_size=batch_size, device=device)
    bars = error_bars(outcome.kept, interval, own_level)
    missing = remainders([model], outcome.kept, bars)
    labels = list(names or range(len(targets)))
    dataset = replicates_dataset(
        "nll",
        padded(outcome.kept) + known_part(missing),
        labels=("sequence", outcome.labels_kept(labels)),
        level=level,
        bars=shifted(bars, missing),
        estimator=[one.cell.sampler.name for one in outcome.kept],
        length=[one.cell.item.sides[0].length for one in outcome.kept],
        effective_positions=[one.effective_positions for one in outcome.profiles],
        full_mask_ratio=[one.full_mask_ratio for one in outcome.profiles],
        **({} if rule is None else rule.found(outcome.kept)),
        **remainder_variables(missing),
        **outcome.variables(),
    )
    dataset.attrs = what_made_it(
        model,
        cells[0],
        [target.length for target in targets],
        seed=seed,
        level=level,
        forward_passes=sum(outcome.forward_passes),
        cautions=cautions_found(outcome.kept, outcome.profiles, bars, missing, models=[model]),
        interval=interval,
        simultaneous=simultaneous,
    )
    dataset.attrs |= {} if rule is None else rule.attributes(outcome.kept)
    return outcome.with_failed(dataset, labels)
