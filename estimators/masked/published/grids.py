"""Published schemes on a fixed grid of masking rates or counts: only which positions are masked is drawn."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, draw_points
from estimators.errors import PassesError
from estimators.masked.mask_law import estimand_weights
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.masked.published.base import PublishedSum, Purpose
from estimators.masked.published.rates import given_mask, nodes

__all__ = ["PublishedDiscreteELBO", "PublishedGDPO", "PublishedGIDD"]

GIDD_END = 1e-4  # distance of the first and the last time from 0 and 1
GIDD_LARGEST = 1.0 - 1e-4  # masking rate at time 1
DISCRETE_LARGEST = 1.0 - 1e-3
GAUSS_POINTS = 3


class _RateGrid(PublishedSum):
    """One mask at each rate of a grid, with a weight of each."""

    @abstractmethod
    def grid(self, passes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the masking rates and the weights of the passes."""

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`."""
        rates, weights = self.grid(passes)
        masks = draw_points(IID(), length, passes, replicates, rng)[..., 1:] < rates[:, None]
        return MaskPlan(masks, masks * weights[:, None])

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss by the mask's size; see `PublishedSum.expected_weights`."""
        rates, weights = self.grid(passes)
        of_size = weights @ given_mask(rates, length)
        of_size[0] = 0.0
        return of_size


@dataclass(frozen=True)
class PublishedGIDD(_RateGrid):
    """GIDD's likelihood of masked models: times equally spaced from 0.0001 to 0.9999, both included, and a plain mean.

    With ``h(t)`` the sum of the expected losses of the positions, each masked for sure and the others at the rate
    ``t``, the mean over the grid differs from the likelihood by about ``((h(0) + h(1))/2 - mean of h)/K`` for ``K``
    passes, 128 by default, because the ends count as much as inner points, and by a factor of 0.9999. A pass has the
    weight ``1/(K time)``, so that one position masked at the first time counts 10,000/K times.

    References
    ----------
    D. von Rütte et al., *Generalized interpolating discrete diffusion*, ICML 2025, arXiv 2503.04482: the likelihoods;
    its perplexities draw times as MDLM's do, between 0.0001 and 0.9999.
    """

    name: ClassVar[str] = "published-gidd"
    summary: ClassVar[str] = "as published by GIDD: equally spaced times from 0.0001 to 0.9999, a plain mean"
    source: ClassVar[str] = "dvruette/gidd, gidd/likelihood.py"
    purpose: ClassVar[Purpose] = "perplexity"

    def grid(self, passes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the masking rates and the weights of the passes. Raises `PassesError` for a single pass."""
        if passes < 2:
            raise PassesError(f"{self.name} needs at least 2 passes, both ends of its grid; got {passes}")
        times = np.linspace(GIDD_END, 1.0 - GIDD_END, passes)
        return GIDD_LARGEST * times, 1.0 / (passes * times)


@dataclass(frozen=True)
class PublishedDiscreteELBO(_RateGrid):
    """The discrete ELBO of ``T`` steps, every step once: rate ``0.999 j/T`` and weight ``1/j`` at step ``j``; T passes.

    ``1/j`` is the probability that a sampler with ``T`` equal steps reveals a masked token at step ``j``; replaying
    such a sampler, with the losses of what it reveals, has the same mean. Tokens that are revealed together are priced
    as if independent. With ``h(t)`` the sum of the expected losses of the positions, each masked for sure and the
    others at the rate ``t``, the mean is the sum of ``h`` over the right ends of the steps, times ``0.999/T``: for most
    models too high, by about ``(h(1) - h(0))/(2 T)``, which falls as ``1/T``.

    A token is still visible after the last step with probability 0.001; the published code adds ``0.001 log V`` nats
    per token, with ``V`` the size of the vocabulary, and it divides by an assumed 4.3 bytes per token.

    References
    ----------
    J. Austin et al., *Structured denoising diffusion models in discrete state-spaces*, NeurIPS 2021, arXiv 2107.03006,
    for the bound; pull request 1106 of the repository for this computation.
    """

    name: ClassVar[str] = "published-discrete-elbo"
    summary: ClassVar[str] = (
        "as published in parameter-golf: the discrete ELBO, every step once; as many steps as passes"
    )
    source: ClassVar[str] = (
        "openai/parameter-golf, records/track_non_record_16mb/2026-03-29_LLaDA_MDLM_Diffusion/train_mdlm.py"
    )
    purpose: ClassVar[Purpose] = "perplexity"

    def grid(self, passes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the masking rates and the weights of the passes."""
        steps = np.arange(1, passes + 1)
        return DISCRETE_LARGEST * steps / passes, 1.0 / steps


@dataclass(frozen=True)
class PublishedGDPO(PublishedSum):
    """GDPO's likelihood: counts ``floor(t L)`` at 3 Gauss points ``t`` of ``(0, 1)``, weight of the point over ``t``.

    The points are 0.113, 0.5 and 0.887, so that three sizes of masks stand for all. The quadrature would be exact for
    losses whose mean by rate is a polynomial of degree 5. The count is rounded down and its weight is not that of the
    rounded rate: where losses do not depend on the count, the mean is ``sum_n w_n floor(t_n L)/(t_n L)`` times the
    likelihood: 1.2 % too low at ``L = 64``, 13 % at 16 and 28 % at 8.

    References
    ----------
    K. Rojas et al., *Improving reasoning for diffusion language models via group diffusion policy optimization*, arXiv
    2510.08554.
    """

    name: ClassVar[str] = "published-gdpo"
    summary: ClassVar[str] = "as published by GDPO: 3 Gauss points, counts rounded down; 3 passes a draw"
    source: ClassVar[str] = "KevinRojas1499/GDPO, gdpo/likelihood_estimators.py"
    purpose: ClassVar[Purpose] = "policy gradient"

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`. Averages as many threes as the passes hold."""
        draws = self._draws(length, passes)
        points = draw_points(IID(), length, GAUSS_POINTS * draws, replicates, rng)
        sizes, weights = self._points(length)
        masks = smallest(points[..., 1:], np.broadcast_to(np.tile(sizes, draws), points.shape[:2]))
        return MaskPlan(masks, masks * np.tile(weights / draws, draws)[:, None])

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss by the mask's size; see `PublishedSum.expected_weights`."""
        self._draws(length, passes)
        sizes, weights = self._points(length)
        given = np.arange(length + 1) * estimand_weights(length)  # one over the number of masks of each size
        of_size: NDArray[np.float64] = np.bincount(sizes, weights, minlength=length + 1) * given
        return of_size

    def _draws(self, length: int, passes: int) -> int:
        if passes < GAUSS_POINTS:
            raise PassesError(f"{self.name} needs at least {GAUSS_POINTS} passes, got {passes}")
        if length < 2:
            raise PassesError(f"{self.name} needs at least 2 scored positions, whatever the passes; got {length}")
        return passes // GAUSS_POINTS

    @staticmethod
    def _points(length: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        times, shares = nodes(0.0, 1.0, 2 * GAUSS_POINTS - 1)
        return (times * length).astype(np.int64), shares / times
