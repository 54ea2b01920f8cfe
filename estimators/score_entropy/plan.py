"""Noise plans: how much noise each pass adds, and the uniform numbers that say where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.plan import Inputs, Plan
from estimators.score_entropy.states import NoisedTokens
from estimators.target import Target

__all__ = ["NoisePlan"]


@dataclass(frozen=True, eq=False, repr=False)
class NoisePlan(Plan):
    """Weighted noise: ``R`` independent replicates of ``N`` forward passes over ``L`` scored positions.

    The noised tokens follow from the keys and the target's tokens: from equal keys, equal tokens become equal. The
    estimate of a replicate is the sum of its weights times the score entropies.

    Parameters
    ----------
    total_noise : array of float64, shape (replicates, passes)
    keys : array of float64, shape (replicates, passes, length)
        A uniform number for each position.
    weights : array of float64, shape (replicates, passes, length)
        Weight of the score entropy at each position.
    question : NoisedTokens
        The noise, and which score entropy.

    Raises
    ------
    InputError
        If shapes do not fit, the total noise is not positive and finite, or a weight is not finite.

    Examples
    --------
    >>> from estimators import estimator
    >>> plan = estimator("score-entropy(uniform)").plan(length=4, passes=3, replicates=1, rng=np.random.default_rng(0))
    >>> plan, plan.total_noise.round(2)
    (NoisePlan(replicates=1, passes=3, length=4), array([[2.86, 0.38, 1.28]]))
    """

    total_noise: NDArray[np.float64]
    keys: NDArray[np.float64]
    weights: NDArray[np.float64]
    question: NoisedTokens

    def __post_init__(self) -> None:
        arrays = {name: np.array(getattr(self, name), dtype=np.float64) for name in ("total_noise", "keys", "weights")}
        shape = arrays["keys"].shape
        if len(shape) != 3 or arrays["weights"].shape != shape or arrays["total_noise"].shape != shape[:2]:
            raise InputError(
                "a noise plan needs keys and weights of one shape (replicates, passes, length) and total noise "
                f"(replicates, passes); got {', '.join(str(array.shape) for array in arrays.values())}"
            )
        if not (np.isfinite(arrays["total_noise"]) & (arrays["total_noise"] > 0)).all():
            raise InputError("a noise plan needs positive and finite total noise")
        if not np.isfinite(arrays["weights"]).all():
            raise InputError("a noise plan needs finite weights")
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def hidden_fractions(self) -> NDArray[np.float64]:
        """Fraction ``1 - exp(-total noise)`` that each pass hides: (replicates, passes)."""
        fractions: NDArray[np.float64] = -np.expm1(-self.total_noise)
        return fractions

    def inputs(self, target: Target) -> Inputs:
        """Return each pass that can have a loss."""
        keys, total_noise = self.keys.reshape(-1, self.length), self.total_noise.reshape(-1)
        loses = ~self.question.noise.without_loss(total_noise, keys)
        spread = np.ones((int(loses.sum()), len(target.tokens)))
        spread[:, target.scored] = keys[loses]
        acts = np.zeros(len(target.tokens), dtype=bool)
        acts[target.scored] = True
        columns = (np.broadcast_to(target.tokens, spread.shape), np.broadcast_to(acts, spread.shape), spread)
        row_of_pass = np.where(loses, loses.cumsum() - 1, -1)
        return Inputs(self.question, (*columns, total_noise[loses]), row_of_pass)

    def part(self, replicates: slice) -> NoisePlan:
        """Return the plan of some of the replicates."""
        return replace(
            self,
            total_noise=self.total_noise[replicates],
            keys=self.keys[replicates],
            weights=self.weights[replicates],
        )

    def joined(self, others: Sequence[NoisePlan]) -> NoisePlan:
        """Return this plan's replicates and then those of others; see `Plan.concatenate`."""
        plans = (self, *others)
        return replace(
            self,
            total_noise=np.concatenate([plan.total_noise for plan in plans]),
            keys=np.concatenate([plan.keys for plan in plans]),
            weights=np.concatenate([plan.weights for plan in plans]),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NoisePlan):
            return NotImplemented
        same = (
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("total_noise", "keys", "weights")
        )
        return self.question == other.question and all(same)

    def __hash__(self) -> int:
        return hash((self.question, self.keys.tobytes()))

    def __repr__(self) -> str:
        return f"NoisePlan(replicates={self.replicates}, passes={self.passes}, length={self.length})"
