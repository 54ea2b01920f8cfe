"""What every published scheme declares: where it comes from, what it is for, and its exact mean."""

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from estimators.estimator import Estimator
from estimators.masked.masks import all_masks
from estimators.masked.points import PointEstimator

__all__ = ["Published", "PublishedPoints", "PublishedSum", "Purpose"]

Purpose = Literal["perplexity", "benchmark scoring", "preference optimisation", "policy gradient"]
"""What a public implementation computes its number for."""


class Published(Estimator):
    """A scheme of a public implementation, with its bias.

    Attributes
    ----------
    source : str
        Repository and file, or the paper where the scheme has no repository.
    purpose : Purpose
    """

    source: ClassVar[str]
    purpose: ClassVar[Purpose]

    unbiased: ClassVar[bool] = False

    @abstractmethod
    def expectations(self, losses: NDArray[np.float64], passes: int) -> NDArray[np.float64]:
        """Return the exact mean of a replicate, from the losses of all masks.

        Parameters
        ----------
        losses : array of float64, shape (blocks, 2**length - 1, length)
            Nats, masks in the order of `all_masks`. Of a block-diffusion model the blocks that are planned together,
            in order; of other models all positions are one block.
        passes : int
            Forward passes that one replicate may use.

        Returns
        -------
        array of float64, shape (blocks,)
            Nats.
        """


class PublishedSum(Published):
    """A published scheme that adds weighted losses and treats all positions alike."""

    @abstractmethod
    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss under a given mask, by the mask's size.

        Parameters
        ----------
        length : int
            Number ``L`` of scored positions.
        passes : int
            Forward passes that one replicate may use.

        Returns
        -------
        array of float64, shape (length + 1,)
            ``E[sum_k W[k, i] 1{S_k = S}]`` for ``i`` in a mask ``S`` of each size. An unbiased scheme has
            `estimand_weights`.
        """

    def expectations(self, losses: NDArray[np.float64], passes: int) -> NDArray[np.float64]:
        """Return the exact mean of a replicate; see `Published.expectations`."""
        length = losses.shape[-1]
        return weighted_totals(losses, self.expected_weights(length, passes))


class PublishedPoints(PublishedSum, PointEstimator):
    """A published scheme of one mask for each point, with uniform points: its mean is that of the map."""

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss by the mask's size; see `PublishedSum.expected_weights`."""
        return self.mask_map.law(length).first_moment


def weighted_totals(losses: NDArray[np.float64], of_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the losses of all masks (..., 2**length - 1, length) with weights by size (..., length + 1): (...), nats."""
    sizes = all_masks(losses.shape[-1]).sum(axis=1)
    total: NDArray[np.float64] = (losses.sum(axis=-1) * of_size[..., sizes]).sum(axis=-1)
    return total
