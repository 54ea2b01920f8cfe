"""Log-likelihood ratios of the same sequences under two models, with their error bars."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr

from estimators import (
    Cell,
    Contrast,
    Coupled,
    Decoupled,
    Draw,
    Estimator,
    InputError,
    Model,
    Pair,
    evaluate,
    make_targets,
)
from estimators.evaluate import Progress
from estimators.model import is_consistent
from estimators.streams import root_seed, stream
from estimators.target import Context, Tokens
from infodis_stats.analysis import level_of_each
from infodis_stats.estimates.coupling import coupling, sampled_by
from infodis_stats.estimates.origin import cautions_found, what_made_it
from infodis_stats.estimates.outcome import outcome_of
from infodis_stats.estimates.remainder import known_part, remainder_variables, remainders, shifted
from infodis_stats.estimates.request import named_estimator, rows_a_call
from infodis_stats.results.error_bars import check_interval, error_bars
from infodis_stats.results.labels import replicates_dataset
from infodis_stats.results.provenance import model_fingerprint

__all__ = ["estimate_model_log_ratio"]


def estimate_model_log_ratio(
    first_model: Model,
    second_model: Model,
    tokens: Tokens,
    estimator: str | Estimator = "auto",
    *,
    coupled: bool = True,
    passes: int = 16,
    replicates: int = 8,
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
    """Estimate ``log p_first(x | context) - log p_second(x | context)`` of each sequence, with a confidence interval.

    What preference optimisation asks of a policy and its reference.

    Parameters
    ----------
    first_model, second_model : Model
        Both must mean the same by a token. That cannot be checked here: two vocabularies of one size give a number.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "auto"
        One for both models; ``auto`` chooses for the model that promises less.
    coupled : bool, default True
        Whether the two models see the same masks.
    passes : int, default 16
        Forward passes that one replicate may use per sequence and model.
    replicates, seed, context, names, level, interval, simultaneous, batch_size, device, progress
        See `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        As `estimate_log_ratio`'s, over ``sequence``, with ``length (sequence)``; ``forward_passes`` counts those of
        both models. A sequence on which a model fails is ``failed``, as in `estimate_nll`. The attributes name the
        models as ``model`` and ``second_model``.

    Raises
    ------
    InputError, ModelError
        One sentence: what, where, what would be right.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> policy, reference = (ids.MarkovChain.random(order=1, alphabet="ACGT", seed=seed) for seed in (0, 1))
    >>> tokens = policy.sample(2, length=8, seed=2)
    >>> result = ids.estimate_model_log_ratio(policy, reference, tokens, passes=8, replicates=4)
    >>> result["log_ratio_ci"].dims
    ('sequence', 'ci_bound')
    """
    one = named_estimator(estimator)
    if one.pilot:
        raise InputError(f"{one.name}: a pilot asks one model, and here are two; leave pilot= out")
    contrast: Contrast = Coupled(one) if coupled else Decoupled(one)
    models = (first_model, second_model)
    decisive = min(models, key=is_consistent)
    targets = make_targets(tokens, context, names)
    pairs = [
        Pair(
            replace(target, label=f"{target.label} under the first model"),
            replace(target, label=f"{target.label} under the second model"),
            target.label,
            target.key,
        )
        for target in targets
    ]
    cells = [Cell(contrast.settled(pair, passes, decisive), pair, passes, replicates) for pair in pairs]
    check_interval(decisive, cells, interval, level)
    root = root_seed(seed)
    jobs = [
        cell.sampler.jobs(pair, passes, replicates, stream(root, pair.key, cell.sampler.stream_name, str(passes)))
        for cell, pair in zip(cells, pairs, strict=True)
    ]
    sides = [
        evaluate(
            model,
            [job[side] for job in jobs],
            batch_size=rows_a_call(model, batch_size),
            device=device,
            progress=progress,
            keep_failed=True,
        )
        for side, model in enumerate(models)
    ]
    draws = [Draw.of(cell, parts) for cell, *parts in zip(cells, *sides, strict=True)]
    outcome = outcome_of(models, draws, batch_size=batch_size, device=device)
    bars = error_bars(outcome.kept, interval, level_of_each(level, len(draws), simultaneous=simultaneous))
    missing = remainders(models, outcome.kept, bars)
    correlation, gain = coupling(outcome.kept)
    labels = list(names or range(len(targets)))
    dataset = replicates_dataset(
        "log_ratio",
        np.stack([one.estimates for one in outcome.kept]) + known_part(missing),
        labels=("sequence", outcome.labels_kept(labels)),
        level=level,
        bars=shifted(bars, missing),
        estimator=sampled_by(outcome.kept),
        length=[one.cell.item.sides[0].length for one in outcome.kept],
        correlation=correlation,
        coupling_gain=gain,
        **remainder_variables(missing),
        **outcome.variables(),
    )
    dataset.attrs = what_made_it(
        decisive,
        Cell(contrast, pairs[0], passes, replicates),
        [target.length for target in targets],
        seed=seed,
        level=level,
        forward_passes=sum(outcome.forward_passes),
        cautions=cautions_found(outcome.kept, outcome.profiles, bars, missing, models=models),
        interval=interval,
        simultaneous=simultaneous,
    ) | {"model": model_fingerprint(first_model), "second_model": model_fingerprint(second_model)}
    return outcome.with_failed(dataset, labels)
