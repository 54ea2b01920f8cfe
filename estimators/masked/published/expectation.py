"""The exact mean of a published scheme for a model: its value without Monte-Carlo noise."""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.evaluate import Job, Progress, evaluate
from estimators.masked.exhaustive import Exhaustive
from estimators.masked.published.base import Published
from estimators.model import ConditionalModel, in_blocks
from estimators.target import Context, Target, Tokens, make_targets

__all__ = ["expected_value", "mean_from_losses"]


def expected_value(
    scheme: Published,
    model: ConditionalModel,
    tokens: Tokens,
    *,
    passes: int,
    context: Context = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return the exact mean of a published scheme for each sequence, by running every mask.

    Parameters
    ----------
    scheme : Published
    model : ConditionalModel
        Of one that declares blocks, every mask of each block is run, so that sequences may have any length.
    tokens : array of int, shape (sequence, total), or sequence of arrays of int
    passes : int
        Forward passes that one replicate of the scheme may use; the mean depends on it where the scheme has a grid, or
        is not a sum.
    context : int, array of bool, sequence of arrays of bool, or None
        See `Estimator.sample`.
    batch_size, device, progress
        See `evaluate`.

    Returns
    -------
    array of float64, shape (sequence,)
        Nats.

    Raises
    ------
    InputError
        If a target, or a block, has more than 20 scored positions, or a nonlinear scheme has too many outcomes.
    PassesError
        If the scheme cannot work with so few passes.

    Examples
    --------
    >>> from estimators import estimator
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> for name in ("published-elbo-kto", "published-mdlm", "published-diffucoder"):
    ...     print(name, (expected_value(estimator(name), Fair(), [[0, 1, 1, 0]], passes=6) / np.log(2.0)).round(4))
    published-elbo-kto [4.]
    published-mdlm [3.996]
    published-diffucoder [6.]
    """
    full = Exhaustive()
    targets = [in_blocks(target, model) for target in make_targets(tokens, context)]
    jobs = []
    for target in targets:
        lengths = target.blocks or (target.length,)
        for length in set(lengths):
            scheme.plan(length, passes, 1, np.random.default_rng(0))  # refuses too few passes
        plan = full.plan_target(target, 2 ** max(lengths) - 1, 1, np.random.default_rng(0))
        jobs.append(Job(target, plan))
    evaluations = evaluate(model, jobs, batch_size=batch_size, device=device, progress=progress)
    return np.array([mean_from_losses(scheme, each.target, each.losses[0], passes) for each in evaluations])


def mean_from_losses(scheme: Published, target: Target, losses: NDArray[np.float64], passes: int) -> float:
    """Return the exact mean of a published scheme for one target, from the losses under an exhaustive plan.

    Parameters
    ----------
    scheme : Published
    target : Target
        It knows the blocks of the model.
    losses : array of float64, shape (passes of the exhaustive plan, length)
        Nats.
    passes : int
        Forward passes that one replicate of the scheme may use.
    """
    start, mean = 0, 0.0
    for length, run in itertools.groupby(target.planned):
        count = len(list(run))
        of_run = losses[: 2**length - 1, start : start + count * length].reshape(-1, count, length).swapaxes(0, 1)
        mean += float(scheme.expectations(of_run, passes).sum())
        start += count * length
    return mean
