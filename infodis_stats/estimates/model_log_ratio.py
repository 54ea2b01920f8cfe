"""Log-likelihood ratios of the same sequences under two models, with confidence intervals."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import xarray as xr

from estimators import (
    Cell,
    Draw,
    Estimator,
    InputError,
    Job,
    Model,
    Pair,
    Target,
    make_targets,
)
from estimators.evaluate import Progress
from estimators.model import gives_ratios, prices_masks
from estimators.sampling import joined
from estimators.streams import root_seed, stream
from estimators.target import Context, Tokens
from infodis_stats.estimates.coupling import CONTRAST_VARIABLES, contrast_named, contrast_variables
from infodis_stats.estimates.loss_profile import full_masks
from infodis_stats.estimates.pipeline import Quantity, estimate
from infodis_stats.estimates.settings import Device, Execution, IntervalRequest, SamplingPlan
from infodis_stats.models.vocabulary import check_same_symbols
from infodis_stats.results.provenance import model_conventions, model_fingerprint

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
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``log p_first(x | context) - log p_second(x | context)`` of each sequence, with a confidence interval.

    Preference optimisation compares a policy with its reference by this ratio.

    Parameters
    ----------
    first_model, second_model : Model
        Both must have the same vocabulary, which is compared where both have an alphabet or a tokenizer.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "auto"
        One for both models; ``auto`` chooses for the model with the weaker guarantees.
    coupled : bool, default True
        Whether the two models see the same masks.
    passes : int, default 16
        Forward passes that one replicate may use per sequence and model.
    replicates, seed, context, names, level, interval, simultaneous, batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        As `estimate_log_ratio`'s, over ``sequence``, with ``length (sequence)``; ``forward_passes`` counts those of
        both models. A sequence on which a model fails is ``failed``, as in `estimate_nll`. The attributes name the
        models as ``model`` and ``second_model``.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or a model fails on every sequence.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: both likelihoods
    with the same masks (Equation 18, for two models instead of two sequences).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> policy, reference = (ids.MarkovChain.random(order=1, alphabet="ACGT", seed=seed) for seed in (0, 1))
    >>> tokens = policy.sample(2, length=8, seed=2)
    >>> result = ids.estimate_model_log_ratio(policy, reference, tokens, passes=8, replicates=4)
    >>> result["log_ratio_ci"].dims
    ('sequence', 'ci_bound')
    """
    contrast = contrast_named(estimator, coupled=coupled)
    if contrast.estimator.pilot:
        raise InputError(f"{contrast.estimator.name}: a pilot runs one model, but there are two; leave out pilot=")
    targets = make_targets(tokens, context, names)
    kinds = [(prices_masks(model), gives_ratios(model)) for model in (first_model, second_model)]
    if not any(all(kind) for kind in zip(*kinds, strict=True)):
        raise InputError(
            "one model prices masked tokens and the other gives score ratios of noised ones, so no estimator suits "
            "both: estimate the likelihood under each by itself"
        )
    check_same_symbols(first_model, second_model, [target.tokens for target in targets])
    quantity = Quantity(
        name="log_ratio",
        unit="sequence",
        models=(first_model, second_model),
        sampler=contrast,
        items=[_under_both(target) for target in targets],
        names=names,
        variables=lambda outcome: {"length": outcome.lengths} | contrast_variables(outcome.kept),
        labels=CONTRAST_VARIABLES,
    )
    execution = Execution(batch_size, device, progress)

    def draw_under_both(cells: Iterable[Cell]) -> Iterator[Draw]:
        settled = (quantity.settled(cell) for cell in cells)
        return joined(_chunks(settled, quantity.models, root_seed(seed), execution))

    plan, request = SamplingPlan(passes, replicates, seed), IntervalRequest(interval, level, simultaneous)
    result = estimate(quantity, plan, request, execution, draw_under_both)
    for name, model in (("model", first_model), ("second_model", second_model)):
        result.attrs |= {name: model_fingerprint(model), f"{name}_conventions": model_conventions(model)}
    return result


def _under_both(target: Target) -> Pair:
    first, second = (replace(target, label=f"{target.label} under the {which} model") for which in ("first", "second"))
    return Pair(first, second, target.label, target.key)


def _chunks(
    cells: Iterable[Cell], models: Sequence[Model], root: np.random.SeedSequence, execution: Execution
) -> Iterator[tuple[Cell, Draw]]:
    """Draw the chunks of cells, each side under its model; planned as far ahead as one of the models needs."""
    chunks = ((cell, chunk) for cell in cells for chunk in cell.chunks())
    planned: deque[tuple[Cell, Cell, list[list[Job]]]] = deque()
    waiting: list[deque[list[Job]]] = [deque() for _ in models]

    def plan_next() -> bool:
        for cell, chunk in chunks:
            planned.append((cell, chunk, _jobs(chunk, root, models)))
            for side, jobs in zip(waiting, planned[-1][-1], strict=True):
                side.append(jobs)
            return True
        return False

    def jobs_of(side: deque[list[Job]]) -> Iterator[Job]:
        while side or plan_next():
            yield from side.popleft()

    streams = [execution.evaluate(model, jobs_of(side)) for model, side in zip(models, waiting, strict=True)]
    for first in streams[0]:
        cell, chunk, sides = planned.popleft()
        own = [first, *(next(stream) for stream in streams[1:])]
        full = [run for stream, jobs in zip(streams, sides, strict=True) for run in islice(stream, len(jobs) - 1)]
        yield cell, Draw.of(chunk, own, full)


def _jobs(cell: Cell, root: np.random.SeedSequence, models: Sequence[Model]) -> list[list[Job]]:
    """Plan each side, with its full mask if it has one beside it."""
    rng = stream(root, cell.item.key, cell.sampler.stream_name, str(cell.passes))
    jobs = cell.sampler.jobs(cell.item, cell.passes, cell.replicates, rng, first=cell.first)
    full = full_masks(models)(cell, jobs)
    return [[job, *(other for other in full if other.target is job.target)] for job in jobs]
