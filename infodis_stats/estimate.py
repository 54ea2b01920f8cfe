"""Likelihoods and likelihood ratios with their error bars: the two calls that most users need."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import (
    Auto,
    Cell,
    ConditionalModel,
    Contrast,
    Coupled,
    Decoupled,
    Draw,
    Estimator,
    InputError,
    Target,
    draw,
    make_pairs,
    make_targets,
    registry,
)
from estimators.evaluate import Progress
from estimators.target import Context, Tokens
from infodis_stats.cautions import CAUTIONS, cautions_of, effective_positions
from infodis_stats.dataset import replicates_dataset
from infodis_stats.oracles import Law
from infodis_stats.provenance import SCHEMA, model_fingerprint, versions

__all__ = ["estimate_log_ratio", "estimate_nll", "rows_a_call"]

LAW_ROWS = 1024


def estimate_nll(
    model: ConditionalModel,
    tokens: Tokens,
    estimator: str | Estimator = "auto",
    *,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate ``-log p(scored tokens | context)`` of each sequence, with a confidence interval.

    Parameters
    ----------
    model : ConditionalModel
        A law, a network, or anything with ``token_nll``.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "auto"
        See ``infodis-stats estimators``.
    passes : int, default 16
        Forward passes that one replicate may use per sequence; the total is ``passes * replicates``.
    replicates : int, default 8
        Independent replicates, at least 2: the error bar comes from them.
    seed : int, default 0
    context : int, array of bool, sequence of arrays of bool, or None
        The first ``context`` tokens are given, or the positions marked True: never masked, never scored.
    names : sequence of str, optional
        Distinct names of the sequences; their random numbers then hang on the names instead of the content.
    level : float, default 0.95
        Confidence level.
    batch_size, device, progress
        See `estimators.evaluate`; they change no number of an exact law.

    Returns
    -------
    xarray.Dataset
        ``nll``, ``nll_se (sequence)``, ``nll_ci (sequence, ci_bound)``, ``nll_replicate (sequence, replicate)`` in
        nats; ``length``, ``estimator`` (what ``auto`` chose), ``effective_positions``, ``forward_passes (sequence)``,
        and ``exact`` under a law. The attributes say what made it, and under ``cautions`` where the interval cannot be
        trusted.

    Raises
    ------
    InputError, ModelError
        One sentence: what, where, what would be right.

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
    check_replicates(replicates)
    cells = [Cell(sampler, target, passes, replicates) for target in targets]
    rows = rows_a_call(model, batch_size)
    draws = list(draw(model, cells, seed, batch_size=rows, device=device, progress=progress))
    effective = np.array([float(effective_positions(one.evaluations[0].position_losses)) for one in draws])
    dataset = replicates_dataset(
        "nll",
        np.stack([one.estimates for one in draws]),
        labels=("sequence", names or range(len(targets))),
        level=level,
        estimator=[one.cell.sampler.name for one in draws],
        length=[target.length for target in targets],
        effective_positions=effective,
        forward_passes=[one.forward_passes for one in draws],
        **({"exact": [_exact(model, target) for target in targets]} if isinstance(model, Law) else {}),
    )
    dataset.attrs = what_made_it(
        model,
        cells[0],
        [target.length for target in targets],
        seed=seed,
        level=level,
        forward_passes=sum(one.forward_passes for one in draws),
        cautions=_cautions(draws, effective),
    )
    return dataset


def estimate_log_ratio(
    model: ConditionalModel,
    first: Tokens,
    second: Tokens,
    estimator: str | Estimator = "auto",
    *,
    coupled: bool = True,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    context: Context = None,
    second_context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate ``log p(first | context) - log p(second | context)`` of each pair, with a confidence interval.

    Parameters
    ----------
    model : ConditionalModel
    first, second : array of int, shape (pair, length), or sequence of arrays of int
        The sides of a pair may differ in length. Nothing is broadcast.
    estimator : str or Estimator, default "auto"
    coupled : bool, default True
        Whether the two sides share their masks.
    passes : int, default 16
        Forward passes that one replicate may use per sequence; a pair costs twice that.
    replicates, seed, context, names, level, batch_size, device, progress
        See `estimate_nll`; ``context`` applies to both sides.
    second_context : int, array of bool, sequence of arrays of bool, or None
        The second side's own context, where it is another.

    Returns
    -------
    xarray.Dataset
        ``log_ratio``, ``log_ratio_se (pair)``, ``log_ratio_ci (pair, ci_bound)``, ``log_ratio_replicate (pair,
        replicate)`` in nats; ``correlation (pair)`` of the two sides' estimates over replicates, and ``coupling_gain
        (pair)``, the variance that independent sides would have over the variance there is; ``forward_passes (pair)``,
        and ``exact`` under a law.

    Raises
    ------
    InputError, ModelError
        One sentence: what, where, what would be right.

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
    check_replicates(replicates)
    cells = [Cell(sampler, pair, passes, replicates) for pair in pairs]
    rows = rows_a_call(model, batch_size)
    draws = list(draw(model, cells, seed, batch_size=rows, device=device, progress=progress))
    settled = [cast("Contrast", drawn.cell.sampler) for drawn in draws]
    sides = np.array(
        [
            [contrast.estimator.reduce(side.plan, side.losses) for side in drawn.evaluations]
            for contrast, drawn in zip(settled, draws, strict=True)
        ]
    )
    effective = np.array(
        [min(float(effective_positions(side.position_losses)) for side in drawn.evaluations) for drawn in draws]
    )
    correlation, gain = _coupling(sides)
    dataset = replicates_dataset(
        "log_ratio",
        np.stack([one.estimates for one in draws]),
        labels=("pair", names or range(len(pairs))),
        level=level,
        estimator=[contrast.estimator.name for contrast in settled],
        correlation=correlation,
        coupling_gain=gain,
        forward_passes=[one.forward_passes for one in draws],
        **({"exact": [_exact(model, *pair.sides) for pair in pairs]} if isinstance(model, Law) else {}),
    )
    dataset.attrs = what_made_it(
        model,
        cells[0],
        [max(side.length for side in pair.sides) for pair in pairs],
        seed=seed,
        level=level,
        forward_passes=sum(one.forward_passes for one in draws),
        cautions=_cautions(draws, effective),
    )
    return dataset


def _exact(law: Law, first: Target, second: Target | None = None) -> float:
    """Return the law's own negative log-likelihood of a target, or log ratio of two."""
    given = np.ones(len(first.tokens), dtype=bool)
    given[first.scored] = False
    own = float(law.nll(first.tokens[None], context=given[None])[0])
    return own if second is None else _exact(law, second) - own


def _choices(cell: Cell, model: ConditionalModel, lengths: Iterable[int]) -> dict[str, str]:
    """Return what ``auto`` chose, and why."""
    one = cell.sampler.estimator if isinstance(cell.sampler, Contrast) else cell.sampler
    if not isinstance(one, Auto):
        return {}
    choices = [one.knowing(model).choose(length, cell.passes) for length in sorted(set(lengths))]
    return {choice.estimator.name: choice.why for choice in choices}


def _cautions(draws: Sequence[Draw], effective: NDArray[np.float64]) -> list[str]:
    found = {
        key
        for drawn, positions in zip(draws, effective, strict=True)
        for key in cautions_of(cast("Estimator | Contrast", drawn.cell.sampler), drawn.cell.replicates, positions)
    }
    return [key for key in CAUTIONS if key in found]


def rows_a_call(model: ConditionalModel | None, batch_size: int | None) -> int | None:
    """Return how many rows go into a call where nothing was asked for: more of an exact law than suit a network."""
    return LAW_ROWS if batch_size is None and isinstance(model, Law) else batch_size


def named_estimator(estimator: str | Estimator) -> Estimator:
    """Return the estimator of a name, or the estimator itself."""
    one = registry.estimator(estimator) if isinstance(estimator, str) else estimator
    if not isinstance(one, Estimator):
        raise InputError(f"an estimator or its name is needed, got {type(one).__name__}")
    return one


def check_replicates(replicates: int) -> None:
    """Refuse fewer replicates than an interval needs."""
    if replicates < 2:
        raise InputError(f"an interval needs at least 2 replicates, got {replicates}")


def _coupling(sides: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Correlation and variance ratio of (pair, 2, replicate); NaN where a side does not vary."""
    centred = sides - sides.mean(axis=-1, keepdims=True)
    first, second = (centred**2).sum(axis=-1).T
    cross = (centred[:, 0] * centred[:, 1]).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return cross / np.sqrt(first * second), (first + second) / (first + second - 2 * cross)


def what_made_it(
    model: ConditionalModel,
    cell: Cell,
    lengths: Iterable[int],
    *,
    seed: int,
    level: float,
    forward_passes: int,
    cautions: list[str],
) -> dict[str, str | int | float]:
    """Return the attributes of a data set of estimates: of items of these lengths, one of which is the cell's."""
    return {
        "estimator": cell.sampler.name,
        "choices": json.dumps(_choices(cell, model, lengths)),
        "passes": cell.passes,
        "replicates": cell.replicates,
        "seed": seed,
        "ci_kind": "student-t",
        "ci_prob": level,
        "forward_passes": forward_passes,
        "cautions": json.dumps({key: CAUTIONS[key] for key in cautions}),
        "model": model_fingerprint(model),
        "versions": json.dumps(versions()),
        "schema": SCHEMA,
    }
