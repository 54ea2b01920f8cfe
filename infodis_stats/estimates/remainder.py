"""What is left of a likelihood where the noise ends before it has hidden everything."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import Absorbing, Contrast, Draw, Estimator, InputError, Model, ScoreModel, Target
from estimators.contrast import estimator_of
from infodis_stats.laws import Law
from infodis_stats.results.error_bars import ErrorBar

__all__ = [
    "Remainder",
    "check_precision",
    "known_part",
    "noise_remainder",
    "remainder_variables",
    "remainders",
    "shifted",
]

MOST_STATES = 2**16  # noised sequences that are listed


@dataclass(frozen=True)
class Remainder:
    """What an integral lacks, in nats.

    Attributes
    ----------
    known : float
        What an estimate is moved by.
    lower, upper : float
        Bounds; equal to what is known where that is exact.
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

    The paper's Theorem 3.2 at a finite time. Exact under a law with at most 65,536 noised sequences that the target can
    become, by listing them. Otherwise bounded: where a symbol's noised state always could have come from any other, by
    the largest divergence that two clean symbols have there, position by position (convexity); under masking by what
    the positions cost that are seen alone, and, where more are seen, by the whole likelihood.

    Parameters
    ----------
    model : ScoreModel
    target : Target
    estimator : Estimator
    integral : float
        The integral's value, or an upper end of it, in nats: masking needs it for its upper bound.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> (target,) = ids.make_targets(law.sample(1, length=6, seed=1))
    >>> estimator = ids.estimator("score-entropy(absorbing,eps=0.001)")
    >>> found = noise_remainder(law, target, estimator, integral=8.0)
    >>> found.lower == found.upper, round(found.lower, 4)
    (True, 0.0076)
    """
    noise, end = estimator.noise, torch.tensor([estimator.final_noise], dtype=torch.float64)
    if noise is None or not np.isfinite(estimator.final_noise):
        return Remainder.between(0.0, 0.0)
    kernel = noise.kernel(end, model.vocabulary_size)[0].numpy()
    if isinstance(model, Law):
        own = kernel[:, target.tokens[target.scored]].T
        if np.prod((own > 0).sum(axis=1), dtype=np.float64) <= MOST_STATES:
            exact = _listed(model, target, kernel, own)
            return Remainder.between(exact, exact)
    if noise == Absorbing():
        return _masked(model, target, estimator, integral)
    return Remainder.between(0.0, float(_largest_divergence(kernel)[target.tokens[target.scored]].sum()))


def remainders(models: Sequence[Model], draws: Sequence[Draw], bars: Sequence[ErrorBar]) -> list[Remainder] | None:
    """Return what each draw's estimate lacks; None where it is nothing for all of them.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    """
    if all(_unfinished(one) is None for one in draws):
        return None
    found = []
    for drawn, bar in zip(draws, bars, strict=True):
        estimator = _unfinished(drawn)
        assert estimator is not None
        largest = [float((one.plan.weights * one.losses).sum(axis=(1, 2)).mean()) for one in drawn.evaluations]
        margin = bar.upper - bar.lower
        sides = [
            noise_remainder(cast("ScoreModel", model), one.target, estimator, value + margin)  # it has answered
            for model, one, value in zip(models, drawn.evaluations, largest, strict=True)
        ]
        found.append(sides[0] if len(sides) == 1 else sides[1] - sides[0])
    return found


def shifted(bars: Sequence[ErrorBar], missing: Sequence[Remainder] | None) -> list[ErrorBar]:
    """Return the error bars with the remainders in them: moved by what is known, widened by what is not."""
    if missing is None:
        return list(bars)
    return [
        replace(bar, lower=bar.lower + one.lower, upper=bar.upper + one.upper)
        for bar, one in zip(bars, missing, strict=True)
    ]


def known_part(missing: Sequence[Remainder] | None) -> NDArray[np.float64] | float:
    """Return what estimates (item, replicate) are moved by."""
    return 0.0 if missing is None else np.array([[one.known] for one in missing])


def remainder_variables(missing: Sequence[Remainder] | None) -> dict[str, list[float]]:
    """Return the bounds as variables over the items; none where nothing is missing."""
    if missing is None:
        return {}
    return {"remainder_lower": [one.lower for one in missing], "remainder_upper": [one.upper for one in missing]}


def check_precision(sampler: Estimator | Contrast) -> None:
    """Refuse to promise a precision where a remainder comes on top of it."""
    estimator = estimator_of(sampler)
    if np.isfinite(estimator.final_noise):
        raise InputError(
            f"a precision cannot be promised for {estimator.name}: its noise ends before it has hidden everything; "
            "use a schedule that does, such as polynomial"
        )


def _unfinished(draw: Draw) -> Estimator | None:
    estimator = estimator_of(draw.cell.sampler)
    return estimator if estimator is not None and np.isfinite(estimator.final_noise) else None


def _listed(law: Law, target: Target, kernel: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    """Sum over all noised sequences that the target can become."""
    choices = [np.flatnonzero(row > 0) for row in own]
    states = np.array(list(product(*choices)), dtype=np.int64)
    symbols = law.vocabulary_size
    clean = np.eye(symbols)[target.tokens]
    evidence = np.broadcast_to(clean, (len(states), *clean.shape)).copy()
    evidence[:, target.scored] = kernel[states]
    given = np.ones((1, *clean.shape))
    context = np.setdiff1d(np.arange(len(target.tokens)), target.scored)
    given[0, context] = clean[context]
    log_law = law.posterior(torch.from_numpy(evidence))[0] - law.posterior(torch.from_numpy(given))[0]
    log_own = np.log(np.take_along_axis(own, states.T, axis=1)).sum(axis=0)
    return max(0.0, float((np.exp(log_own) * (log_own - log_law.numpy())).sum()))


def _masked(model: ScoreModel, target: Target, estimator: Estimator, integral: float) -> Remainder:
    """Bound by how many positions are still seen: none, one, or more."""
    seen, length = float(np.exp(-estimator.final_noise)), target.length
    alone = seen * (1 - seen) ** (length - 1)  # the chance that this one position is all that is seen
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


def _largest_divergence(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each symbol, the largest divergence of its noised state from another symbol's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(kernel)
        terms = kernel[:, :, None] * (logs[:, :, None] - logs[:, None, :])
    largest: NDArray[np.float64] = np.where(kernel[:, :, None] > 0, terms, 0.0).sum(axis=0).max(axis=1)
    return largest
