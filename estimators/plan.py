"""Plans: what an estimator asks of a model, as values that need no model."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.model import Model
from estimators.target import Target

__all__ = ["Inputs", "Plan", "Question", "pass_terms"]


class Question(Protocol):
    """How a model is asked. Equal questions about inputs of one length share a call, of several if they are padded."""

    def takes_padding(self, model: Model) -> bool:
        """Return whether inputs of different lengths may share a call, padded on the right."""
        ...

    def losses(
        self,
        model: Model,
        columns: Sequence[NDArray[Any]],
        lengths: NDArray[np.int64] | None,
        device: torch.device,
    ) -> torch.Tensor:
        """Ask for the losses of some inputs.

        Parameters
        ----------
        model : Model
        columns : sequence of arrays, shape (rows, ...)
            As `Inputs` has them; where inputs are padded, with zeros and False.
        lengths : array of int64, shape (rows,), or None
            Number of tokens of each row if they differ, which only a question that takes padding is asked.
        device : torch.device

        Returns
        -------
        Tensor of floating point, shape (rows, total length)
            0 where nothing is lost; on any device.

        Raises
        ------
        InputError
            If it is not a question for such a model.
        TokenError
            If the model does not know a token.
        ModelError
            If the model returns another shape.
        """
        ...

    def problem(self, loss: float) -> str:
        """Say what the model did wrong if a loss is NaN, infinite or negative."""
        ...


@dataclass(frozen=True, eq=False)
class Inputs:
    """The distinct inputs of a model that a plan needs for a target, row by row.

    Attributes
    ----------
    question : Question
        How they are asked.
    columns : tuple of arrays, shape (rows, ...)
        What a row consists of.
    row_of_pass : array of int64, shape (replicates * passes,)
        The row that has the losses of each pass; -1 where a pass has no losses and needs none.
    """

    question: Question
    columns: tuple[NDArray[Any], ...]
    row_of_pass: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.columns[0])


class Plan(ABC):
    """Weighted passes: ``R`` independent replicates of ``N`` forward passes over ``L`` scored positions.

    The estimate of replicate ``r`` is the sum of ``weights[r]`` times the losses of its passes.

    Attributes
    ----------
    weights : array of float64, shape (replicates, passes, length)
        Weight of the loss at each position.

    Examples
    --------
    >>> from estimators import estimator
    >>> plan = estimator("uniform-count").plan(length=4, passes=3, replicates=2, rng=np.random.default_rng(0))
    >>> plan.replicates, plan.passes, plan.length
    (2, 3, 4)
    >>> plan.hidden_fractions
    array([[1.  , 0.5 , 0.75],
           [0.75, 0.25, 0.75]])
    """

    weights: NDArray[np.float64]

    @property
    def replicates(self) -> int:
        """Number of independent replicates."""
        return int(self.weights.shape[0])

    @property
    def passes(self) -> int:
        """Number of forward passes of one replicate, repeated and empty ones included."""
        return int(self.weights.shape[1])

    @property
    def length(self) -> int:
        """Number of scored positions."""
        return int(self.weights.shape[2])

    @property
    @abstractmethod
    def hidden_fractions(self) -> NDArray[np.float64]:
        """Fraction of the positions masked in each pass, or hidden by its noise on average: (replicates, passes)."""

    @abstractmethod
    def inputs(self, target: Target) -> Inputs:
        """Return the distinct inputs that the plan needs for a target."""

    @abstractmethod
    def part(self, replicates: slice) -> Self:
        """Return the plan of some of the replicates."""

    @abstractmethod
    def joined(self, others: Sequence[Self]) -> Self:
        """Return this plan's replicates and then those of others of its length and number of passes."""

    @classmethod
    def concatenate(cls, plans: Sequence[Self]) -> Self:
        """Join the replicates of several plans of one length and one number of passes."""
        if len({(plan.passes, plan.length) for plan in plans}) != 1:
            raise InputError("plans to be joined need one length and one number of passes")
        return plans[0].joined(plans[1:])


def pass_terms(plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each pass alone would estimate from losses of the plan's shape: (replicates, passes), nats."""
    terms: NDArray[np.float64] = (plan.weights * losses).sum(axis=-1) * plan.passes
    return terms
