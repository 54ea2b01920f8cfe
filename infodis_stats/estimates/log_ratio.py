"""Log-likelihood ratios of pairs, with their error bars."""

from collections.abc import Sequence

import torch
import xarray as xr

from estimators import Cell, Contrast, Coupled, Decoupled, Estimator, Model, make_pairs
from estimators.evaluate import Progress
from estimators.target import Context, Tokens
from infodis_stats.analysis import level_of_each
from infodis_stats.estimates.coupling import coupling, sampled_by
from infodis_stats.estimates.origin import cautions_found, what_made_it
from infodis_stats.estimates.outcome import outcome_of
from infodis_stats.estimates.precision import Precision, draw_rounds, padded
from infodis_stats.estimates.remainder import check_precision, known_part, remainder_variables, remainders, shifted
from infodis_stats.estimates.request import named_estimator, rows_a_call
from infodis_stats.results.error_bars import check_interval, error_bars
from infodis_stats.results.labels import replicates_dataset

__all__ = ["estimate_log_ratio"]


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
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
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
    replicates, precision, most_passes, seed, context, names, level, interval, simultaneous
        See `estimate_nll`; ``context`` applies to both sides, which must be given the same tokens.
    batch_size, device, progress
        See `estimate_nll`.
    second_context : int, array of bool, sequence of arrays of bool, or None
        The second side's own context, where it is another.

    Returns
    -------
    xarray.Dataset
        ``log_ratio``, ``log_ratio_se (pair)``, ``log_ratio_ci (pair, ci_bound)``, ``log_ratio_replicate (pair,
        replicate)`` in nats; ``correlation (pair)`` of the two sides' estimates over replicates, and ``coupling_gain
        (pair)``, the variance that independent sides would have over the variance there is; ``interval``, ``degrees``,
        ``forward_passes (pair)``, and ``exact`` under a law. With a precision, ``reached`` and ``replicates (pair)``.
        Where the model fails on some pairs, ``failed (pair)`` as in `estimate_nll`.

    Raises
    ------
    InputError, ModelError
        One sentence: what, where, what would be right. A model that fails on a pair is an error if it fails on all.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> first, second = law.sample(2, length=8, seed=1), law.sample(2, length=8, seed=2)
    >>> result = ids.estimate_log_ratio(law, first, second, passes=8, replicates=4)
    >>> result["log_ratio_ci"].dims
    ('pair', 'ci_bound')
    """
    one = named_estimator(estimator)
    sampler: Contrast = Coupled(one) if coupled else Decoupled(one)
    pairs = make_pairs(first, second, context, names, second_context=second_context)
    own_level = level_of_each(level, len(pairs), simultaneous=simultaneous)
    rule = None if precision is None else Precision.of(precision, most_passes, own_level, interval)
    if rule is not None:
        rule.check_budget(passes, replicates)
        check_precision(sampler)
    cells = [Cell(sampler, pair, passes, replicates) for pair in pairs]
    check_interval(model, cells, interval, level)
    rows = rows_a_call(model, batch_size)
    draws = draw_rounds(model, cells, seed, rule, batch_size=rows, device=device, progress=progress)
    outcome = outcome_of([model, model], draws, batch_size=batch_size, device=device)
    bars = error_bars(outcome.kept, interval, own_level)
    missing = remainders([model, model], outcome.kept, bars)
    correlation, gain = coupling(outcome.kept)
    labels = list(names or range(len(pairs)))
    dataset = replicates_dataset(
        "log_ratio",
        padded(outcome.kept) + known_part(missing),
        labels=("pair", outcome.labels_kept(labels)),
        level=level,
        bars=shifted(bars, missing),
        estimator=sampled_by(outcome.kept),
        correlation=correlation,
        coupling_gain=gain,
        **({} if rule is None else rule.found(outcome.kept)),
        **remainder_variables(missing),
        **outcome.variables(),
    )
    dataset.attrs = what_made_it(
        model,
        cells[0],
        [max(side.length for side in pair.sides) for pair in pairs],
        seed=seed,
        level=level,
        forward_passes=sum(outcome.forward_passes),
        cautions=cautions_found(outcome.kept, outcome.profiles, bars, missing, models=[model]),
        interval=interval,
        simultaneous=simultaneous,
    )
    dataset.attrs |= {} if rule is None else rule.attributes(outcome.kept)
    return outcome.with_failed(dataset, labels)
