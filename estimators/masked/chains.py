"""Chains: reveal a random permutation step by step and add the losses of the tokens revealed next."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Antithetic, Design, draw_points, spread
from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.masked.plan import MaskPlan
from estimators.plan import Plan, pass_terms

__all__ = ["BlockChain", "Chain"]


@dataclass(frozen=True)
class _Chains(Estimator):
    """Equal chains, averaged: each has a permutation and an offset from one point of the unit cube.

    Parameters
    ----------
    antithetic : bool, default False
        Draw chains in pairs: the partner reveals in the reverse order, from the mirrored offset. Of an odd number the
        last has no partner.
    """

    antithetic: bool = False

    plain_name: ClassVar[str]

    @property
    def name(self) -> str:
        """The name in the registry, such as ``"chain+antithetic"``."""
        return f"{self.plain_name}+antithetic" if self.antithetic else self.plain_name

    @abstractmethod
    def chains(self, length: int, passes: int) -> int:
        """Return how many chains share the passes; with each at least one pass."""

    def parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return what each chain, or each antithetic pair of chains, estimates; see `Estimator.parts`.

        Block chains leave passes unused, and the passes that are used may hold another number of chains: the replicate
        is then a single part.
        """
        chains = self.chains(plan.length, plan.passes)
        together = 2 if self.antithetic else 1
        if chains % together or plan.passes % chains:
            return None
        count = chains // together
        weights = plan.weights.sum(axis=-1).reshape(plan.replicates, count, -1).sum(axis=-1)
        if not np.allclose(weights, plan.length / count):  # the weights of whole chains add up to their share
            return None
        terms = pass_terms(plan, losses).reshape(plan.replicates, count, -1)
        parts: NDArray[np.float64] = terms.mean(axis=-1)
        return parts

    def part_count(self, length: int, passes: int) -> int:
        """Return how many chains, or pairs of them, `parts` sees in the passes that a plan uses."""
        chains = self.chains(length, passes)
        blocks = min(passes // chains, length)
        seen, together = self.chains(length, chains * blocks), 2 if self.antithetic else 1
        count = seen // together
        if seen % together or chains * blocks % seen:
            return 1
        group = chains * blocks // count
        return count if group * length % blocks == 0 else 1  # else their weights do not add up to equal shares

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`.

        Passes that do not fill the chains stay unused. Targets of unequal length share their permutations and offsets
        where they have equally many chains, and nothing elsewhere.
        """
        return self._plan_of(draw_points(self._design, length, self.chains(length, passes), replicates, rng), passes)

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> MaskPlan:
        """Plan blocks, of a single chain or pair each with offsets spread over blocks; see `Estimator.blocks_plan`."""
        points = draw_points(self._design, length, self.chains(length, passes), blocks, rng)
        if not self.has_within_variance(length, passes):
            points = spread(points, self._design.dependence, rng)
        return self._plan_of(points, passes)

    @property
    def _design(self) -> Design:
        return Antithetic() if self.antithetic else IID()

    def _plan_of(self, points: NDArray[np.float64], passes: int) -> MaskPlan:
        # The points have shape (replicates, chains, 1 + length).
        replicates, chains, length = points.shape[0], points.shape[1], points.shape[2] - 1
        blocks = min(passes // chains, length)
        offsets = np.minimum((points[..., :1] * length).astype(np.int64), length - 1)
        starts = np.arange(blocks) * length + offsets  # (replicates, chains, blocks), in units of 1/blocks positions
        sizes = length - starts // blocks
        width = (starts + length) // blocks - starts // blocks
        ranks = points[..., 1:].argsort(axis=-1, kind="stable").argsort(axis=-1)[..., None, :]
        masks = ranks < sizes[..., None]
        following = masks & (ranks >= (sizes - width)[..., None])
        weights = following * (width / np.minimum(width, sizes) / chains)[..., None]
        shape = (replicates, chains * blocks, length)
        return MaskPlan(masks.reshape(shape), weights.reshape(shape))


@dataclass(frozen=True)
class Chain(_Chains):
    """Any-order chains: one random permutation each, one position revealed per pass, the next position's loss added.

    ``K`` passes hold ``floor(K / L)`` chains. Each is the model's own chain rule in one order: for conditionals of one
    joint law all chains agree and the variance is zero.

    References
    ----------
    B. Uria, I. Murray, H. Larochelle, *A deep and tractable density estimator*, ICML 2014, arXiv 1310.1757. E.
    Hoogeboom et al., *Autoregressive diffusion models*, ICLR 2022, arXiv 2110.02037. Jeon, Shin, Jeon, No,
    *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Theorem 4.1, whose mean over orders this
    samples.

    Examples
    --------
    >>> print(Chain().plan(length=3, passes=3, replicates=1, rng=np.random.default_rng(0)))
    ###  1
    #.#  1
    ..#  1
    """

    plain_name: ClassVar[str] = "chain"
    exact_when_consistent: ClassVar[bool] = True

    @property
    def summary(self) -> str:
        """The estimator in one line."""
        pairs = ", in pairs of reversed orders" if self.antithetic else ""
        return f"the chain rule in random orders{pairs}; exact for conditionals of one law; L passes a chain"

    def chains(self, length: int, passes: int) -> int:
        """Return how many chains share the passes. Raises `PassesError` where there is not one (a pair of them)."""
        fewest = 2 * length if self.antithetic else length
        if passes < fewest:
            raise PassesError(
                f"{self.name} needs at least {fewest} passes for {length} scored positions, got {passes}; "
                f"block-{self.name} works with fewer"
            )
        return passes // length


@dataclass(frozen=True)
class BlockChain(_Chains):
    """Chains of ``K <= L`` passes: blocks of positions revealed at once, and the next block's losses added.

    The ``L`` steps of a permutation are cut at ``floor((k + u) L / K)`` for ``k = 0 .. K - 1`` with one ``u``. The
    losses of a block have weight 1, so that a position counts once; those before the first cut do not count, and those
    after the last one have the weight of a whole block. At ``K = L`` it is the chain. More passes than positions make
    several chains.

    References
    ----------
    This project's own: the chain rule of `Chain`, with a systematic sample of its steps (W. G. Madow, L. H. Madow, *On
    the theory of systematic sampling, I*, Annals of Mathematical Statistics 15, 1944).

    Examples
    --------
    >>> print(BlockChain().plan(length=6, passes=3, replicates=1, rng=np.random.default_rng(0)))
    #.####  1
    #.#..#  1
    .....#  2
    """

    plain_name: ClassVar[str] = "block-chain"

    @property
    def summary(self) -> str:
        """The estimator in one line."""
        if self.antithetic:
            return "two chains in reversed orders, with half as many blocks each as passes"
        return "a chain of as many blocks as passes; with L passes it is the chain"

    def chains(self, length: int, passes: int) -> int:
        """Return how many chains share the passes: one (a pair) as long as it has no more passes than positions."""
        together = 2 if self.antithetic else 1
        if passes < together:
            raise PassesError(f"{self.name} needs at least {together} passes, got {passes}")
        return min(passes, together * -(-passes // (together * length)))
