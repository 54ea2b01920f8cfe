"""The remainder: what an integral over noise lacks where the noise ends before it has hidden everything."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import Absorbing, Contrast, Estimator, InputError, Model, ScoreModel, Target
from estimators.estimator import estimator_of
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.laws import Law
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.labels import Variable

__all__ = [
    "Remainder",
    "check_precision",
    "known_part",
    "noise_remainder",
    "remainder_variables",
    "remainders",
    "shifted",
]

REMAINDER_VARIABLES = {
    "remainder_lower": Variable(
        "nat", "lower bound of what the integral of the score entropy lacks; added to the estimate"
    ),
    "remainder_upper": Variable(
        "nat", "upper bound of what the integral of the score entropy lacks; included in the interval"
    ),
}

MOST_STATES = 2**16  # noised sequences that are enumerated


@dataclass(frozen=True)
class Remainder:
    """The part that an integral lacks, in nats.

    Attributes
    ----------
    known : float
        Added to the estimate.
    lower, upper : float
        Bounds of the part; both equal `known` where that is exact.
    """

    known: float
    lower: float
    upper: float

    @classmethod
    def between(cls, lower: float, upper: float) -> "Remainder":
        """Return the remainder of one target: at least the lower bound is known to be missing."""
        return cls(lower, lower, upper)

    def __sub__(self, other: "Remainder") -> "Remainder":
        return Remainder(self.known - other.known, self.lower - other.upper, self.upper - other.lower)


def noise_remainder(model: ScoreModel, target: Target, estimator: Estimator, integral: float) -> Remainder:
    """Return ``KL(p_{T|0}(. | x) || p_T)``, which the integral of the score entropy to the time ``T`` lacks.

    The paper's Theorem 3.2 at a finite time. Exact by enumeration under a law, if the target has at most 65,536 noised
    sequences. Otherwise bounded. Where every noised state can come from every symbol: by the largest divergence of two
    clean symbols, position by position (convexity). Under masking: by the cost of a position that is seen alone, and by
    the whole likelihood where more than one is seen.

    Parameters
    ----------
    model : ScoreModel
    target : Target
    estimator : Estimator
    integral : float
        The integral's value or an upper bound of it, in nats; the upper bound under masking needs it.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> (target,) = ids.make_targets(law.sample(1, length=6, seed=1))
    >>> estimator = ids.estimator("score-entropy(absorbing,eps=0.001)")
    >>> remainder = noise_remainder(law, target, estimator, integral=8.0)
    >>> remainder.lower == remainder.upper, round(remainder.lower, 4)
    (True, 0.0076)
    """
    noise, end = estimator.noise, torch.tensor([estimator.final_noise], dtype=torch.float64)
    if noise is None or not np.isfinite(estimator.final_noise):
        return Remainder.between(0.0, 0.0)
    if isinstance(model, Law):
        kernel = noise.kernel(end, model.vocabulary_size)[0].numpy()
        transition = kernel[:, target.tokens[target.scored]].T
        if np.prod((transition > 0).sum(axis=1), dtype=np.float64) <= MOST_STATES:
            exact = _enumerated(model, target, kernel, transition)
            return Remainder.between(exact, exact)
    if noise == Absorbing():
        return _masked(model, target, estimator, integral)
    divergence = noise.largest_divergence(estimator.final_noise, model.vocabulary_size)
    return Remainder.between(0.0, float(divergence[target.tokens[target.scored]].sum()))


def remainders(models: Sequence[Model], statistics: Sequence[DrawStatistics]) -> list[Remainder] | None:
    """Return what the estimate of each draw lacks; None if all are complete.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    """
    if all(_unfinished(item) is None for item in statistics):
        return None
    missing = []
    for item in statistics:
        estimator = _unfinished(item)
        assert estimator is not None
        margin = item.bar.upper - item.bar.lower
        sides = [
            noise_remainder(cast("ScoreModel", model), target, estimator, total + margin)  # it gave these losses
            for model, target, total in zip(models, item.cell.item.sides, item.profile.totals, strict=True)
        ]
        missing.append(sides[0] if len(sides) == 1 else sides[1] - sides[0])
    return missing


def shifted(bars: Sequence[ErrorBar], missing: Sequence[Remainder] | None) -> list[ErrorBar]:
    """Return the error bars with the remainders included: shifted by the known part, widened by the unknown one."""
    if missing is None:
        return list(bars)
    return [
        replace(bar, lower=bar.lower + remainder.lower, upper=bar.upper + remainder.upper)
        for bar, remainder in zip(bars, missing, strict=True)
    ]


def known_part(missing: Sequence[Remainder] | None) -> NDArray[np.float64] | float:
    """Return the known part, to be added to estimates (item, replicate)."""
    return 0.0 if missing is None else np.array([[remainder.known] for remainder in missing])


def remainder_variables(missing: Sequence[Remainder] | None) -> dict[str, list[float]]:
    """Return the bounds as variables over the items; empty if nothing is missing."""
    if missing is None:
        return {}
    return {
        "remainder_lower": [remainder.lower for remainder in missing],
        "remainder_upper": [remainder.upper for remainder in missing],
    }


def check_precision(sampler: Estimator | Contrast) -> None:
    """Refuse a precision where a remainder adds to the error. Raises `InputError`."""
    estimator = estimator_of(sampler)
    if np.isfinite(estimator.final_noise):
        raise InputError(
            f"a precision cannot be guaranteed for {estimator.name}: its noise ends before it has hidden everything; "
            "use a schedule that does, such as polynomial"
        )


def _unfinished(statistics: DrawStatistics) -> Estimator | None:
    estimator = estimator_of(statistics.cell.sampler)
    return estimator if estimator is not None and np.isfinite(estimator.final_noise) else None


def _enumerated(law: Law, target: Target, kernel: NDArray[np.float64], transition: NDArray[np.float64]) -> float:
    """Sum over all noised sequences that the target can become; transition probabilities are (position, state)."""
    choices = [np.flatnonzero(row > 0) for row in transition]
    states = np.array(list(product(*choices)), dtype=np.int64)
    symbols = law.vocabulary_size
    clean = np.eye(symbols)[target.tokens]
    evidence = np.broadcast_to(clean, (len(states), *clean.shape)).copy()
    evidence[:, target.scored] = kernel[states]
    given = np.ones((1, *clean.shape))
    context = np.setdiff1d(np.arange(len(target.tokens)), target.scored)
    given[0, context] = clean[context]
    log_law = law.posterior(torch.from_numpy(evidence))[0] - law.posterior(torch.from_numpy(given))[0]
    log_transition = np.log(np.take_along_axis(transition, states.T, axis=1)).sum(axis=0)
    return max(0.0, float((np.exp(log_transition) * (log_transition - log_law.numpy())).sum()))


def _masked(model: ScoreModel, target: Target, estimator: Estimator, integral: float) -> Remainder:
    """Bound the remainder of masking by how many positions are still seen: none, one, or more."""
    seen, length = float(np.exp(-estimator.final_noise)), target.length
    alone = seen * (1 - seen) ** (length - 1)  # the chance that exactly this position is seen
    more = max(0.0, 1 - (1 - seen) ** length - length * alone)
    known = alone * _full_mask_loss(model, target, estimator)
    upper = known + more * (integral + known) / (1 - more) if more < 1 else np.inf
    return Remainder.between(known, float(upper))


def _full_mask_loss(model: ScoreModel, target: Target, estimator: Estimator) -> float:
    tokens = torch.from_numpy(target.tokens)[None]
    acts = torch.zeros(tokens.shape, dtype=torch.bool)
    acts[0, target.scored] = True
    end = torch.tensor([estimator.final_noise], dtype=torch.float64)
    with torch.no_grad():
        ratios = model.log_ratios(torch.where(acts, model.vocabulary_size, tokens), acts, end, Absorbing())
    logs = ratios.double().cpu()[0].gather(1, tokens[0, :, None])[target.scored, 0]
    return float(-(logs + torch.expm1(end).log()).sum())
