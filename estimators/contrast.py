"""Contrasts: one estimator on two targets, estimating ``log p(first) - log p(second)``."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.estimator import Applied, Estimator
from estimators.evaluate import Evaluation, Job, Progress
from estimators.model import Model
from estimators.reduction import Reduction
from estimators.sampling import Cell, sample
from estimators.streams import twins
from estimators.target import Context, Pair, Tokens, make_pairs
from estimators.within_variance import WithinVariance, added, from_parts

__all__ = ["Contrast", "Coupled", "Decoupled"]


@dataclass(frozen=True)
class Contrast(Applied[Pair]):
    """A difference of two estimates; subclasses say how the two share their random numbers.

    Parameters
    ----------
    estimator : Estimator
        Applied to either side.

    Examples
    --------
    >>> from estimators import estimator
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> coupled = Coupled(estimator("uniform-count"))
    >>> coupled.sample(Fair(), [[0, 1, 1]], [[0, 1]], passes=4, replicates=2, rng=0).round(4)  # log(1/8) - log(1/4)
    array([[-0.6931, -0.6931]])
    """

    estimator: Estimator

    @property
    def applied(self) -> Estimator:
        """The estimator of either side."""
        return self.estimator

    def settled(self, item: Pair, passes: int, model: Model) -> "Contrast":
        """Return the contrast of what really samples the longer side, or that with the longer block."""
        return replace(self, estimator=self.estimator.settled(item.longer, passes, model))

    def pilot_jobs(self, item: Pair, rng: np.random.Generator) -> tuple[Job, ...]:
        """Plan the pilots of both sides."""
        sides = zip(item.sides, self.generators(rng), strict=True)
        return tuple(job for side, generator in sides for job in self.estimator.pilot_jobs(side, generator))

    def after_pilot(self, evaluations: tuple[Evaluation, ...]) -> "Contrast":
        """Return the contrast of the estimator that has learned from both pilots; the sides share one."""
        plan = evaluations[0].plan
        return replace(self, estimator=self.estimator.informed(plan, self.squared_terms(evaluations)))

    def squared_terms(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Return what each pass contributes to the variance of the difference: the squared terms of both sides."""
        first, second = (side.terms for side in evaluations)
        return first**2 + second**2

    @abstractmethod
    def generators(self, rng: np.random.Generator) -> tuple[np.random.Generator, np.random.Generator]:
        """Return the generators of the two sides, fresh from ``rng``."""

    def reduced(self, evaluations: tuple[Evaluation, ...]) -> Reduction:
        """Reduce each side and subtract: ``NLL(second) - NLL(first) = log p(first) - log p(second)``."""
        first, second = (super(Contrast, self).reduced((side,)) for side in evaluations)
        difference = second.estimates - first.estimates
        return Reduction(difference, self.variance_of(evaluations, first, second), (first.estimates, second.estimates))

    @abstractmethod
    def variance_of(
        self, evaluations: tuple[Evaluation, ...], first: Reduction, second: Reduction
    ) -> WithinVariance | None:
        """Estimate the variance of the difference of two sides that were reduced by themselves."""

    def sample(
        self,
        model: Model,
        first: Tokens,
        second: Tokens,
        *,
        passes: int,
        replicates: int,
        rng: np.random.Generator | int,
        context: Context = None,
        names: Sequence[str] | None = None,
        batch_size: int | None = None,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> NDArray[np.float64]:
        """Draw replicates of the estimate of ``log p(first | context) - log p(second | context)``.

        Parameters
        ----------
        model : Model
        first, second : array of int, shape (pair, length), or sequence of arrays of int
            The two sides may differ in length. Nothing is broadcast.
        passes : int
            Forward passes that one replicate may use per sequence: a pair costs twice that.
        replicates : int
        rng : numpy.random.Generator or int
        context : int, array of bool, sequence of arrays of bool, or None
            The first ``context`` tokens are given, or the positions marked True; applies to both sides.
        names : sequence of str, optional
            Distinct names of the pairs, on which the random streams then depend instead of the content.
        batch_size, device, progress
            As in `evaluate`.

        Returns
        -------
        array of float64, shape (pair, replicate)
            Nats.
        """
        cells = [Cell(self, pair, passes, replicates) for pair in make_pairs(first, second, context, names)]
        return sample(model, cells, rng, batch_size=batch_size, device=device, progress=progress)


@dataclass(frozen=True)
class Coupled(Contrast):
    """The same masks on both sides.

    Contract: both sides draw from generators in one state. Either side alone has the estimator's ordinary law; targets
    of equal length and blocks get equal masks; of unequal length, the positions that both have share their uniforms,
    and so do the quantiles; of blocks, those of equal length that are equally far from the first one. The coupling
    lowers the variance where the terms of the two sides move together; nothing is promised for unrelated sequences.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Equation 18.

    Examples
    --------
    >>> from estimators import estimator, make_pairs
    >>> (pair,) = make_pairs([[0, 1, 2]], [[0, 1, 3]])
    >>> first, second = Coupled(estimator("time-free")).jobs(pair, 4, replicates=2, rng=np.random.default_rng(0))
    >>> first.plan == second.plan
    True
    """

    @property
    def name(self) -> str:
        """The name, such as ``"coupled time-free"``."""
        return f"coupled {self.estimator.name}"

    @property
    def stream_name(self) -> str:
        """The name, such as ``"coupled time-free"``."""
        return f"coupled {self.estimator.stream_name}"

    def squared_terms(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Return the square of the difference of the terms of each pass."""
        first, second = (side.terms for side in evaluations)
        return np.square(second - first)

    def generators(self, rng: np.random.Generator) -> tuple[np.random.Generator, np.random.Generator]:
        """Return twins."""
        return twins(rng)

    def merged(self, evaluations: tuple[Evaluation, ...]) -> tuple[Evaluation, ...]:
        """Return the difference of the losses as one evaluation where it has one: under equal masks, if it reduces."""
        first, second = evaluations
        equal = first.plan.length == second.plan.length and first.target.blocks == second.target.blocks
        if not (equal and self.estimator.reduces_differences):
            return evaluations
        return (replace(first, losses=second.losses - first.losses),)

    def reduced(self, evaluations: tuple[Evaluation, ...]) -> Reduction:
        """Reduce both sides and the difference of their losses at once where they have equal masks, else each side."""
        merged = self.merged(evaluations)
        if len(merged) > 1:
            return super().reduced(evaluations)
        losses = [side.losses for side in (*evaluations, *merged)]
        first, second, difference = self.estimator.reduce_all(merged[0].plan, losses)
        return replace(difference, sides=(first.estimates, second.estimates))

    def variance_of(
        self, evaluations: tuple[Evaluation, ...], first: Reduction, second: Reduction
    ) -> WithinVariance | None:
        """Estimate the variance from the differences of parts, as the sides are not independent."""
        if self.estimator.exact and first.within_variance is not None and second.within_variance is not None:
            return added(first.within_variance, second.within_variance)
        parts = self.combined_parts(evaluations)
        return from_parts(parts) if parts is not None and parts.shape[1] > 1 else None

    def has_combined_variance(self, item: Pair, passes: int) -> bool:
        """Return whether the difference has a variance: that of the estimator, or that of several parts."""
        if (item.first.length, item.first.blocks) == (item.second.length, item.second.blocks):
            return super().has_combined_variance(item, passes)
        return self.estimator.exact or self.combined_part_count(item, passes) > 1


@dataclass(frozen=True)
class Decoupled(Contrast):
    """Independent masks on the two sides.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: the baseline of
    Table 1b.

    Examples
    --------
    >>> from estimators import estimator, make_pairs
    >>> (pair,) = make_pairs([[0, 1, 2]], [[0, 1, 3]])
    >>> first, second = Decoupled(estimator("time-free")).jobs(pair, 4, replicates=2, rng=np.random.default_rng(0))
    >>> first.plan == second.plan
    False
    """

    @property
    def name(self) -> str:
        """The name, such as ``"decoupled time-free"``."""
        return f"decoupled {self.estimator.name}"

    @property
    def stream_name(self) -> str:
        """The name, such as ``"decoupled time-free"``."""
        return f"decoupled {self.estimator.stream_name}"

    def generators(self, rng: np.random.Generator) -> tuple[np.random.Generator, np.random.Generator]:
        """Return independent generators."""
        first, second = rng.spawn(2)
        return first, second

    def variance_of(
        self, evaluations: tuple[Evaluation, ...], first: Reduction, second: Reduction
    ) -> WithinVariance | None:
        """Add the variances of the two sides."""
        if first.within_variance is None or second.within_variance is None:
            return None
        return added(first.within_variance, second.within_variance)
