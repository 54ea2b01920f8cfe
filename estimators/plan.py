"""Mask plans: what an estimator asks of a model, as a value that needs no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError

__all__ = ["MaskPlan", "pass_terms"]


@dataclass(frozen=True, eq=False, repr=False)
class MaskPlan:
    """Weighted masks: ``R`` independent replicates of ``N`` forward passes over ``L`` scored positions.

    The estimate of replicate ``r`` is ``sum_k sum_i weights[r, k, i] * c(i, S_k)``, where ``S_k`` is ``masks[r, k]``
    and ``c(i, S)`` is the loss of the true token at ``i`` when ``S`` is masked. It is unbiased for every model if and
    only if ``E[sum_k weights[k, i] 1{S_k = S}] = B(m, L - m + 1)`` for every ``S`` of size ``m`` and ``i`` in ``S``.

    Parameters
    ----------
    masks : array of bool, shape (replicates, passes, length)
        True where a position is hidden. A mask may be empty: it costs no forward pass.
    weights : array of float64, shape (replicates, passes, length)
        Weight of the loss at each position, 0 where it is not masked.

    Raises
    ------
    InputError
        If the shapes differ, or a weight is not finite, or an unmasked position has one.

    Examples
    --------
    >>> import numpy as np
    >>> from estimators import estimator
    >>> plan = estimator("uniform-count").plan(length=4, passes=3, replicates=1, rng=np.random.default_rng(1))
    >>> plan
    MaskPlan(replicates=1, passes=3, length=4)
    >>> print(plan)
    ###.  0.444444
    ...#  1.33333
    .###  0.444444
    """

    masks: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        masks = np.array(self.masks, dtype=bool)
        weights = np.array(self.weights, dtype=np.float64)
        if masks.ndim != 3 or weights.shape != masks.shape:
            raise InputError(
                f"a mask plan needs masks and weights of one shape (replicates, passes, length); "
                f"got {masks.shape} and {weights.shape}"
            )
        if not np.isfinite(weights).all():
            raise InputError("a mask plan needs finite weights")
        if weights[~masks].any():
            raise InputError("a mask plan has a weight at a position that is not masked; it must be 0 there")
        masks.flags.writeable = weights.flags.writeable = False
        object.__setattr__(self, "masks", masks)
        object.__setattr__(self, "weights", weights)

    @property
    def replicates(self) -> int:
        """Number of independent replicates."""
        return int(self.masks.shape[0])

    @property
    def passes(self) -> int:
        """Number of forward passes of one replicate, repeated and empty masks included."""
        return int(self.masks.shape[1])

    @property
    def length(self) -> int:
        """Number of scored positions."""
        return int(self.masks.shape[2])

    @classmethod
    def concatenate(cls, plans: Sequence["MaskPlan"]) -> "MaskPlan":
        """Join the replicates of several plans of one length and one number of passes."""
        if len({(plan.passes, plan.length) for plan in plans}) != 1:
            raise InputError("plans to be joined need one length and one number of passes")
        return cls(np.concatenate([plan.masks for plan in plans]), np.concatenate([plan.weights for plan in plans]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskPlan):
            return NotImplemented
        return np.array_equal(self.masks, other.masks) and np.array_equal(self.weights, other.weights)

    def __hash__(self) -> int:
        return hash((self.masks.shape, self.masks.tobytes()))

    def __repr__(self) -> str:
        return f"MaskPlan(replicates={self.replicates}, passes={self.passes}, length={self.length})"

    def __str__(self) -> str:
        """Draw the first replicate, a line a pass: the mask and its largest token weight."""
        return "\n".join(
            f"{''.join('#' if hidden else '.' for hidden in mask)}  {weight:g}"
            for mask, weight in zip(self.masks[0], self.weights[0].max(axis=-1), strict=True)
        )


def pass_terms(plan: MaskPlan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each pass alone would estimate from losses of the plan's shape: (replicates, passes), nats."""
    terms: NDArray[np.float64] = (plan.weights * losses).sum(axis=-1) * plan.passes
    return terms
