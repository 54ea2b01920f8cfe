"""SPG's plug-in of an upper bound: the logarithm of a Monte-Carlo mean."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.masked.mask_maps import UniformCount
from estimators.masked.masks import all_masks
from estimators.masked.plan import MaskPlan, mask_plan
from estimators.masked.points import PointEstimator
from estimators.masked.published.base import Published, Purpose
from estimators.plan import Plan

__all__ = ["PublishedSPG"]

MOST_OUTCOMES = 2**20


@dataclass(frozen=True)
class PublishedSPG(Published):
    """SPG's evidence upper bound (EUBO), plugged in: ``-1/beta`` times the log of a mean of ``L/m p^beta``.

    With uniform counts ``m_k`` and masks ``S_k`` in passes ``k = 1 .. K``, the value is ``L`` times the mean of

        ``-1/beta log( 1/K sum_{k: i in S_k} L/m_k p(x_i | revealed)^beta )``

    over the positions ``i`` that some pass masks; the code leaves the factor ``L`` out. The bound itself has the mean
    over all masks inside the logarithm: ``E_i = -1/beta log mean_m E[p^beta]``, below the mean loss of the position by
    Jensen's inequality. The plug-in is not linear in the losses, so that its mean depends on ``K``: the logarithm of a
    noisy mean biases it upwards, and it averages only over what was masked. With one pass it is ``L`` times the mean
    loss of the masked tokens, less ``L/beta log(L/m)``: a certain sequence does not have the value 0.

    Parameters
    ----------
    beta : float, default 1.5
        At least 1. The released recipes use 1, 1.5 and 2, two passes, and counts within one random block of 32
        tokens, with earlier blocks revealed and later ones masked; here all scored positions are one block. A
        variant averages this value with the any-order one.

    Raises
    ------
    InputError
        If ``beta`` is not a number from 1 on.

    References
    ----------
    C. Wang et al., *SPG: Sandwiched policy gradient for masked diffusion language models*, arXiv 2510.09541.

    Examples
    --------
    >>> scheme = PublishedSPG()
    >>> plan = scheme.plan(length=3, passes=2, replicates=1, rng=np.random.default_rng(0))
    >>> print(plan)
    ###  0.5
    #..  1.5
    >>> float(scheme.reduce(plan, plan.masks * np.log(2.0))[0].round(4))  # log 8 is 2.0794
    2.5415
    """

    beta: float = 1.5

    summary: ClassVar[str] = "as published by SPG: the evidence upper bound, the log of a mean over passes"
    source: ClassVar[str] = "facebookresearch/SPG, spg/spg_trainer.py"
    purpose: ClassVar[Purpose] = "policy gradient"
    kind: ClassVar[str] = "published-spg"
    weighted_sum: ClassVar[bool] = False
    reduces_differences: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1.0 <= self.beta < np.inf:
            raise InputError(f"{self.kind} needs beta of at least 1, got {self.beta}")

    @property
    def name(self) -> str:
        """The name in the registry, with ``beta`` where it is not 1.5."""
        return self.kind if self.beta == type(self).beta else f"{self.kind}(beta={self.beta:.12g})"

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`. The weights are those of the likelihood."""
        return mask_plan(PointEstimator(UniformCount()).plan(length, passes, replicates, rng), self.kind)

    def reduce(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the logarithm of the mean over the passes, position by position; see `Estimator.reduce`."""
        masks = mask_plan(plan, self.kind).masks
        covered: NDArray[np.bool_] = np.logical_or.reduce(masks, axis=1)
        return self._of_logs(np.logaddexp.reduce(self._logs(masks, losses), axis=1), covered, plan.passes)

    def expectations(self, losses: NDArray[np.float64], passes: int) -> NDArray[np.float64]:
        """Return the exact mean over all outcomes of the plan; see `Published.expectations`.

        Raises `InputError` if there are more than a million outcomes, ``(2^L - 1)^K``.
        """
        masks = all_masks(losses.shape[-1])
        if len(masks) ** passes > MOST_OUTCOMES:
            raise InputError(
                f"the exact mean of {self.kind} has {len(masks)}^{passes} outcomes, more than {MOST_OUTCOMES:,}; "
                "use fewer passes or shorter targets"
            )
        law = UniformCount().law(losses.shape[-1]).probability[masks.sum(axis=1)]
        return np.array([self._mean(masks, self._logs(masks, each), law, passes) for each in losses])

    def _mean(
        self, masks: NDArray[np.bool_], logs: NDArray[np.float64], law: NDArray[np.float64], passes: int
    ) -> float:
        total, covered, probability = logs, masks, law
        for _ in range(passes - 1):
            total = np.logaddexp(total[:, None], logs).reshape(-1, masks.shape[1])
            covered = (covered[:, None] | masks).reshape(-1, masks.shape[1])
            probability = np.outer(probability, law).ravel()
        return float(probability @ self._of_logs(total, covered, passes))

    def _logs(self, masks: NDArray[np.bool_], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        # log of L/m p^beta where masked, -inf elsewhere.
        sizes = masks.sum(axis=-1, keepdims=True)
        return np.where(masks, np.log(masks.shape[-1] / sizes) - self.beta * losses, -np.inf)

    def _of_logs(self, logs: NDArray[np.float64], covered: NDArray[np.bool_], passes: int) -> NDArray[np.float64]:
        values = np.where(covered, (np.log(passes) - logs) / self.beta, 0.0)
        mean: NDArray[np.float64] = covered.shape[-1] * values.sum(axis=-1) / covered.sum(axis=-1)
        return mean
