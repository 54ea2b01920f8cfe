"""Every mask with its exact weight: the reference for short targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.evaluate import Job, Progress, evaluate
from estimators.masked.mask_law import estimand_weights
from estimators.masked.masks import all_masks
from estimators.masked.plan import MaskPlan
from estimators.model import ConditionalModel
from estimators.target import Context, Tokens, make_targets

__all__ = ["Exhaustive", "pass_totals"]


@dataclass(frozen=True)
class Exhaustive(Estimator):
    """All ``2^L - 1`` masks with the estimand's own weights: exact for any model, consistent or not.

    All replicates are equal, and a target's masks are run once for all of them.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Theorem 4.1, its
    expectation summed over all masks. The weights are Shapley's (L. S. Shapley, *A value for n-person games*, 1953).

    Examples
    --------
    >>> print(Exhaustive().plan(length=2, passes=3, replicates=1, rng=np.random.default_rng(0)))
    #.  0.5
    .#  0.5
    ##  0.5
    """

    name: ClassVar[str] = "exhaustive"
    summary: ClassVar[str] = "every mask once, exact; needs 2^L - 1 passes"

    @property
    def exact(self) -> bool:
        """Every replicate is the negative log-likelihood itself."""
        return True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """List all masks; ``rng`` is not used. Raises `PassesError` if ``passes < 2**length - 1``."""
        if passes < 2**length - 1:
            needed = str(2**length - 1) if length < 64 else f"2^{length} - 1"
            raise PassesError(f"exhaustive needs {needed} passes for {length} scored positions, got {passes}")
        masks = all_masks(length)
        weights = masks * estimand_weights(length)[masks.sum(axis=1)][:, None]
        return MaskPlan(
            np.broadcast_to(masks, (replicates, *masks.shape)),
            np.broadcast_to(weights, (replicates, *masks.shape)),
        )


def pass_totals(
    model: ConditionalModel,
    tokens: Tokens,
    *,
    context: Context = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Return the total token loss of every mask: all that the exact moments of an iid estimator depend on.

    Parameters
    ----------
    model : ConditionalModel
    tokens : array of int, shape (sequence, total), or sequence of arrays of int
        Targets of one scored length ``L``, at most 20.
    context : int, array of bool, sequence of arrays of bool, or None
        See `Estimator.sample`.
    batch_size, device, progress
        See `evaluate`.

    Returns
    -------
    array of float64, shape (sequence, 2**L - 1)
        ``T(S) = sum_{i in S} c(i, S)`` in nats, in the order of `all_masks`; for `MaskLaw.moments`.

    Examples
    --------
    >>> import torch
    >>> from estimators import TimeFree, TimeIntegral
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> totals = pass_totals(Fair(), [[0, 1, 1]])
    >>> mean, variance = TimeFree().law(3).moments(totals)
    >>> mean.round(6), variance.round(6)
    (array([2.079442]), array([0.960906]))
    >>> TimeIntegral(eps=0.0).law(3).moments(totals)[1]
    array([inf])
    """
    targets = make_targets(tokens, context)
    full = Exhaustive()
    jobs = (Job(target, full.plan(target.length, 2**target.length, 1, np.random.default_rng())) for target in targets)
    evaluations = evaluate(model, jobs, batch_size=batch_size, device=device, progress=progress)
    return np.stack([evaluation.losses[0].sum(axis=-1) for evaluation in evaluations])
