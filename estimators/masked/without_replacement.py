"""Masks without replacement: from one mask of each size to all of them."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimators.errors import InputError, PassesError
from estimators.estimator import Estimator
from estimators.masked.allocation import equal_proportions
from estimators.masked.masks import all_masks
from estimators.masked.plan import MaskPlan

__all__ = ["WithoutReplacement"]

LONGEST = 12  # beyond it, masks hardly repeat at any budget


@dataclass(frozen=True)
class WithoutReplacement(Estimator):
    """Each size a stratum, its masks drawn without replacement; a size whose masks run out is exact.

    Passes go to the sizes by Neyman's allocation for a spread within a size of ``1/sqrt(m)`` (as `RootCount` has it),
    at most as many as there are masks. With ``2^L - 1`` passes this is `Exhaustive`. It is for targets so short that
    the passes are a large share of all masks.

    References
    ----------
    C. Musco, R. T. Witter, *Provably accurate Shapley value estimation via leverage score sampling*, ICLR 2025, arXiv
    2410.01917: sampling without replacement by size, for Shapley values.

    Examples
    --------
    >>> print(WithoutReplacement().plan(length=3, passes=5, replicates=1, rng=np.random.default_rng(0)))
    ..#  0.5
    .#.  0.5
    #.#  0.25
    .##  0.25
    ###  0.333333
    """

    name: ClassVar[str] = "without-replacement"
    summary: ClassVar[str] = "different masks of each size, exact where they run out; needs L passes, for short targets"

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`.

        Targets of unequal length share no random numbers.
        """
        if length < 1:
            raise InputError(f"a plan needs at least one scored position, got {length}")
        if length > LONGEST:
            raise PassesError(
                f"{self.name} is for at most {LONGEST} scored positions, whatever the passes; got {length}"
            )
        if passes < length:
            raise PassesError(f"{self.name} needs at least {length} passes for {length} scored positions, got {passes}")
        masks = all_masks(length)
        sizes = masks.sum(axis=1)
        numbers = np.arange(1, length + 1)
        most = np.array([math.comb(length, size) for size in numbers.tolist()])
        shares = equal_proportions(passes, 1.0 / np.sqrt(numbers), np.ones_like(numbers), most)
        order = np.stack([child.random(len(masks)) for child in rng.spawn(replicates)])
        of_size = [np.flatnonzero(sizes == size) for size in numbers]
        drawn = np.concatenate(
            [rows[order[:, rows].argsort(axis=1)[:, :share]] for rows, share in zip(of_size, shares, strict=True)],
            axis=1,
        )
        weights = 1.0 / (numbers * shares)
        return MaskPlan(masks[drawn], masks[drawn] * weights[sizes[drawn] - 1][..., None])
