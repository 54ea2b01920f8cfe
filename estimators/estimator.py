"""Estimators of a negative log-likelihood: a plan law and a reduction."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.evaluate import Evaluation, Job, Progress
from estimators.model import Model
from estimators.plan import Plan
from estimators.sampling import Cell, Sampler, sample
from estimators.streams import skip
from estimators.target import Context, Target, Tokens, make_targets
from estimators.within_variance import WithinVariance, from_parts

__all__ = ["Estimator"]


class Estimator(Sampler[Target]):
    """A random plan of weighted passes whose weighted losses estimate a negative log-likelihood.

    Subclasses provide `name`, `summary` and `plan`; those that reduce by more than a weighted sum override `reduce`.
    """

    @property
    @abstractmethod
    def summary(self) -> str:
        """The estimator in one line."""

    @property
    def unbiased(self) -> bool:
        """Whether the mean is the negative log-likelihood for every model."""
        return True

    @property
    def finite_variance(self) -> bool:
        """Whether the variance is finite for every model with finite losses."""
        return True

    @property
    def exact(self) -> bool:
        """Whether every replicate is the negative log-likelihood itself."""
        return False

    @abstractmethod
    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> Plan:
        """Draw independent replicates of the plan.

        Parameters
        ----------
        length : int
            Number of scored positions.
        passes : int
            Forward passes that one replicate may use.
        replicates : int
            Number of independent replicates; each has a child of ``rng`` of its own, so more replicates extend fewer,
            and a second call continues the first.
        rng : numpy.random.Generator
            From equal states, plans of different length share the uniforms of the positions that both have.

        Returns
        -------
        Plan

        Raises
        ------
        PassesError
            If the estimator cannot work with so few passes at this length; says how many it needs.
        """

    def reduce(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn token losses (replicates, passes, length) into estimates (replicates,), both in nats."""
        estimates: NDArray[np.float64] = (plan.weights * losses).reshape(plan.replicates, -1).sum(axis=1)
        return estimates

    def parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each replicate is the mean of: independent, identically distributed estimates, in nats.

        Returns
        -------
        array of float64, shape (replicates, parts)
            The replicate itself, one part, where all of its passes depend on one another.
        """
        return self.reduce(plan, losses)[:, None]

    def within_variance(self, plan: Plan, losses: NDArray[np.float64]) -> WithinVariance | None:
        """Estimate each replicate's variance from its own passes; None where they do not tell it."""
        if self.exact:
            return WithinVariance(np.zeros(plan.replicates), np.full(plan.replicates, np.inf))
        parts = self.parts(plan, losses)
        return from_parts(parts) if parts.shape[1] > 1 else None

    def informed(self, plan: Plan, squares: NDArray[np.float64]) -> "Estimator":
        """Return the estimator that has learned from a pilot's plan and its squared terms (replicates, passes)."""
        return self

    def settled(self, item: Target, passes: int, model: Model) -> "Estimator":
        """Return what really samples the target: itself, unless it is there to choose."""
        return self

    def jobs(
        self, item: Target, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan one target: one job."""
        return (Job(item, self.plan(item.length, passes, replicates, skip(rng, first))),)

    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Reduce the target's losses."""
        (evaluation,) = evaluations
        return self.reduce(evaluation.plan, evaluation.losses)

    def combined_variance(self, evaluations: tuple[Evaluation, ...]) -> WithinVariance | None:
        """Estimate the variance of each replicate of the target's estimate."""
        (evaluation,) = evaluations
        return self.within_variance(evaluation.plan, evaluation.losses)

    def combined_parts(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Return the independent parts of each replicate."""
        (evaluation,) = evaluations
        return self.parts(evaluation.plan, evaluation.losses)

    def sample(
        self,
        model: Model,
        tokens: Tokens,
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
        """Draw replicates of the estimate of ``-log p(scored tokens | context)``.

        Parameters
        ----------
        model : Model
        tokens : array of int, shape (sequence, length), or sequence of arrays of int
        passes : int
            Forward passes that one replicate may use per sequence.
        replicates : int
        rng : numpy.random.Generator or int
        context : int, array of bool, sequence of arrays of bool, or None
            The first ``context`` tokens are given, or the positions marked True.
        names : sequence of str, optional
            Distinct names on which the random streams hang instead of the content.
        batch_size, device, progress
            See `evaluate`.

        Returns
        -------
        array of float64, shape (sequence, replicate)
            Nats.

        Examples
        --------
        >>> import torch
        >>> from estimators import estimator
        >>> class Fair:
        ...     def token_nll(self, tokens, masked):
        ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
        >>> estimator("uniform-count").sample(Fair(), [[0, 1, 1]], passes=4, replicates=2, rng=0).round(6)
        array([[2.079442, 2.079442]])
        """
        cells = [Cell(self, target, passes, replicates) for target in make_targets(tokens, context, names)]
        return sample(model, cells, rng, batch_size=batch_size, device=device, progress=progress)
