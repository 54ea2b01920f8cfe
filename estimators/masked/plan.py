"""Mask plans: weighted masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.masked.masks import packed
from estimators.masked.tokens import MaskedTokens
from estimators.plan import Inputs, Plan
from estimators.target import Target

__all__ = ["MaskPlan", "mask_plan"]

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False, repr=False)
class MaskPlan(Plan):
    """Weighted masks: ``R`` independent replicates of ``N`` forward passes over ``L`` scored positions.

    The estimate of replicate ``r`` is ``sum_k sum_i weights[r, k, i] * c(i, S_k)``, where ``S_k`` is ``masks[r, k]``
    and ``c(i, S)`` is the loss of the true token at ``i`` when ``S`` is masked. It is unbiased for every model if and
    only if ``E[sum_k weights[k, i] 1{S_k = S}] = B(m, L - m + 1)`` for every ``S`` of size ``m`` and ``i`` in ``S``.

    Parameters
    ----------
    masks : array of bool, shape (replicates, passes, length)
        True where a position is masked. A mask may be empty: it costs no forward pass.
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
    def hidden_fractions(self) -> NDArray[np.float64]:
        """Fraction of the positions masked in each pass: (replicates, passes)."""
        fractions: NDArray[np.float64] = self.masks.mean(axis=-1)
        return fractions

    @property
    def block_lengths(self) -> tuple[int, ...]:
        """Number of positions of each run that has masks of its own: one run, unless it is a plan of blocks."""
        return (self.length,)

    @property
    def block_sizes(self) -> NDArray[np.int64]:
        """Number of masked positions of each block in each pass: (replicates, passes, blocks)."""
        return self.by_block(self.masks.astype(np.int64))

    @property
    def blocks_by_size(self) -> NDArray[np.int64]:
        """Number of blocks that have masks of each size, from 1 to the length of the longest block."""
        lengths = np.array(self.block_lengths)
        count: NDArray[np.int64] = (lengths >= np.arange(1, lengths.max() + 1)[:, None]).sum(axis=1)
        return count

    def by_block(self, values: NDArray[Number]) -> NDArray[Number]:
        """Sum over the positions of each block: (..., length) to (..., blocks)."""
        sums: NDArray[Number] = np.add.reduceat(values, np.cumsum((0, *self.block_lengths[:-1])), axis=-1)
        return sums

    def inputs(self, target: Target) -> Inputs:
        """Return each distinct mask once; the empty one needs no pass."""
        rows = self.masks.reshape(-1, self.length)
        _, first, inverse = np.unique(packed(rows), return_index=True, return_inverse=True)
        begin = int(not rows[first[0]].any())  # the empty mask sorts first
        masked = np.zeros((len(first) - begin, len(target.tokens)), dtype=bool)
        masked[:, target.scored] = rows[first[begin:]]
        context = np.ones(len(target.tokens), dtype=bool)
        context[target.scored] = False
        columns = (np.broadcast_to(target.tokens, masked.shape), masked, np.broadcast_to(context, masked.shape))
        return Inputs(MaskedTokens(), columns, inverse.reshape(-1) - begin)

    def part(self, replicates: slice) -> Self:
        """Return the plan of some of the replicates."""
        return replace(self, masks=self.masks[replicates], weights=self.weights[replicates])

    def joined(self, others: Sequence[Self]) -> Self:
        """Return this plan's replicates and then those of others; see `Plan.concatenate`."""
        plans = (self, *others)
        masks, weights = (np.concatenate(arrays) for arrays in zip(*((p.masks, p.weights) for p in plans), strict=True))
        return replace(self, masks=masks, weights=weights)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskPlan):
            return NotImplemented
        return np.array_equal(self.masks, other.masks) and np.array_equal(self.weights, other.weights)

    def __hash__(self) -> int:
        return hash((self.masks.shape, self.masks.tobytes()))

    def __repr__(self) -> str:
        return f"MaskPlan(replicates={self.replicates}, passes={self.passes}, length={self.length})"

    def __str__(self) -> str:
        """Draw the first replicate, one line per pass: the mask and its largest token weight."""
        return "\n".join(
            f"{''.join('#' if masked else '.' for masked in mask)}  {weight:g}"
            for mask, weight in zip(self.masks[0], self.weights[0].max(axis=-1), strict=True)
        )


def mask_plan(plan: Plan, purpose: str) -> MaskPlan:
    """Return a plan if it is a plan of masks; raise `InputError` if it is not, as the purpose needs masks."""
    if not isinstance(plan, MaskPlan):
        raise InputError(f"{purpose} need masks, and this estimator has none; use one such as uniform-count+stratified")
    return plan
