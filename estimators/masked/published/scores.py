"""Published scores of fixed masks: nothing is drawn."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.errors import PassesError
from estimators.masked.plan import MaskPlan
from estimators.masked.published.base import PublishedSum, Purpose

__all__ = ["PublishedD1", "PublishedPLL"]


@dataclass(frozen=True)
class PublishedD1(PublishedSum):
    """d1's one-pass number: everything masked once, as if the tokens were independent.

    References
    ----------
    S. Zhao et al., *d1: Scaling reasoning in diffusion large language models via reinforcement learning*, arXiv
    2504.12216.
    """

    name: ClassVar[str] = "published-d1"
    summary: ClassVar[str] = "as published by d1: everything masked once, as if tokens were independent; 1 pass"
    source: ClassVar[str] = "dllm-reasoning/d1, diffu-grpo/diffu_grpo_trainer.py"
    purpose: ClassVar[Purpose] = "policy gradient"
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask everything; ``rng`` is not used."""
        masks = np.ones((replicates, 1, length), dtype=bool)
        return MaskPlan(masks, masks.astype(np.float64))

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return 1 for the full mask; see `PublishedSum.expected_weights`."""
        return np.concatenate([np.zeros(length), [1.0]])


@dataclass(frozen=True)
class PublishedPLL(PublishedSum):
    """The pseudo-log-likelihood of masked language models: every position masked alone, ``L`` passes.

    The sum of ``-log p(x_i | all others)``. It is not a likelihood: each token is conditioned on all others, before and
    after it. The bias is ``sum_i c(i, {i}) - NLL``: 0 for independent tokens, and minus the whole NLL where each token
    is determined by the others. Nothing is drawn, so all replicates are equal.

    DiSE's regeneration probability (arXiv 2603.02760) is a relative in one pass: nothing is masked, and each token is
    priced at its own, visible position. A model of masked tokens defines no such probability, so it is not here.

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
    source: ClassVar[str] = "awslabs/mlm-scoring; Salazar et al., ACL 2020"
    purpose: ClassVar[Purpose] = "benchmark scoring"
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask each position alone; ``rng`` is not used. Raises `PassesError` with fewer passes than positions."""
        if passes < length:
            raise PassesError(f"{self.name} needs {length} passes for {length} scored positions, got {passes}")
        masks = np.broadcast_to(np.eye(length, dtype=bool), (replicates, length, length)).copy()
        return MaskPlan(masks, masks.astype(np.float64))

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return 1 for masks of one position; see `PublishedSum.expected_weights`."""
        of_size = np.zeros(length + 1)
        of_size[1] = 1.0
        return of_size
