"""Published scores of fixed masks: nothing is drawn."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.masked.plan import MaskPlan

__all__ = ["PublishedD1", "PublishedPLL"]


@dataclass(frozen=True)
class PublishedD1(Estimator):
    """d1's one-pass number: everything masked once, as if the tokens were independent.

    References
    ----------
    S. Zhao et al., *d1: Scaling reasoning in diffusion large language models via reinforcement learning*, arXiv
    2504.12216.
    """

    name: ClassVar[str] = "published-d1"
    summary: ClassVar[str] = "as published by d1: everything masked once, as if tokens were independent; 1 pass"
    unbiased: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask everything; ``rng`` is not used."""
        masks = np.ones((replicates, 1, length), dtype=bool)
        return MaskPlan(masks, masks.astype(np.float64))


@dataclass(frozen=True)
class PublishedPLL(Estimator):
    """The pseudo-log-likelihood of masked language models: every position masked alone, ``L`` passes.

    The sum of ``-log p(x_i | all others)``. It is not a likelihood: each token is conditioned on all others, before and
    after it. The bias is ``sum_i c(i, {i}) - NLL``: 0 for independent tokens, and minus the whole NLL where each token
    is determined by the others. Nothing is drawn, so all replicates are equal.

    References
    ----------
    A. Wang, K. Cho, *BERT has a mouth, and it must speak*, arXiv 1902.04094 (2019). J. Salazar, D. Liang, T. Q. Nguyen,
    K. Kirchhoff, *Masked language model scoring*, ACL 2020, arXiv 1910.14659.

    Examples
    --------
    >>> print(PublishedPLL().plan(length=3, passes=3, replicates=1, rng=np.random.default_rng(0)))
    #..  1
    .#.  1
    ..#  1
    """

    name: ClassVar[str] = "published-pll"
    summary: ClassVar[str] = "as published for masked language models: the pseudo-log-likelihood; L passes"
    unbiased: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask each position alone; ``rng`` is not used. Raises `PassesError` with fewer passes than positions."""
        if passes < length:
            raise PassesError(f"{self.name} needs {length} passes for {length} scored positions, got {passes}")
        masks = np.broadcast_to(np.eye(length, dtype=bool), (replicates, length, length)).copy()
        return MaskPlan(masks, masks.astype(np.float64))
