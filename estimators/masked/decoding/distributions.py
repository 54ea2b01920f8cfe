"""What a decoder reads of a model's distributions: the score of a position, and the log-probability of its token."""

import inspect
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError, ModelError
from estimators.masked.decoding.rules import SCORES
from estimators.model import DistributionModel, gives_distributions, needs_context, takes_padding
from estimators.transfers import on_device

__all__ = ["Distributions", "Reading"]

ELEMENTS_PER_CALL = 2**27  # log-probabilities: 512 MB in float32
ELEMENTS_PER_CHUNK = 2**24
UNNORMALISED = {False: 1e-3, True: 0.05}  # nats by which a sum of probabilities may be off, in float32 and in half
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read at some masked positions.

    Attributes
    ----------
    scores : array of float64, shape (position,)
        Of the rule; finite.
    log_probs : array of float64, shape (position,)
        Of the true tokens, in nats.
    totals : array of float64, shape (position,)
        Logarithm of the sum of the probabilities, 0 where it is close enough; ``-inf`` where all are 0, or NaN.
    """

    scores: NDArray[np.float64]
    log_probs: NDArray[np.float64]
    totals: NDArray[np.float64]

    def part(self, places: slice) -> "Reading":
        """Return what was read at some of the positions."""
        return Reading(self.scores[places], self.log_probs[places], self.totals[places])


class Distributions:
    """Asks a `DistributionModel` for the distributions that a rule looks at.

    Parameters
    ----------
    model : DistributionModel
    rule : str
        One of `SCORES`.
    device : torch.device
        Where the model wants its input.

    Raises
    ------
    InputError
        If the model gives no distributions, or they depend on which tokens are context.
    """

    def __init__(self, model: object, rule: str, device: torch.device) -> None:
        if not gives_distributions(model):
            raise InputError(
                f"the rule {rule} looks at distributions, but {type(model).__name__} has no method "
                "token_log_probs(tokens, masked); left-to-right, right-to-left and an order do without it"
            )
        if needs_context(model):
            raise InputError(
                f"the rule {rule} looks at distributions, which under guidance depend on the context: load the model "
                "with guidance=0, or take left-to-right, right-to-left or an order"
            )
        self._model: DistributionModel = model
        self._score, self._device = SCORES[rule], device
        self._vocabulary: int | None = None

    @cached_property
    def takes_padding(self) -> bool:
        """Whether rows of different lengths may share a call."""
        return "lengths" in inspect.signature(self._model.token_log_probs).parameters and takes_padding(self._model)

    def most_rows(self, masked: int) -> int:
        """Return how many rows with so many masked positions a call may have: one until the vocabulary is known."""
        return 1 if self._vocabulary is None else max(1, ELEMENTS_PER_CALL // (masked * self._vocabulary))

    def read(
        self,
        tokens: NDArray[np.int64],
        masked: NDArray[np.bool_],
        asked: NDArray[np.bool_],
        lengths: NDArray[np.int64] | None,
    ) -> Reading:
        """Read the distributions at some of the masked positions.

        Parameters
        ----------
        tokens : array of int64, shape (row, length)
        masked, asked : array of bool, shape (row, length)
        lengths : array of int64, shape (row,), or None
            Number of tokens of each row, if they differ.

        Returns
        -------
        Reading
            Of the positions that are asked for, row by row.

        Raises
        ------
        TokenError
            If the model does not know a token; the message gives the row and the position.
        ModelError
            If the model returns another shape or type, or has no log-probability of a true token.
        """
        targets, places, count = tokens[asked], np.flatnonzero(asked[masked]), int(masked.sum())
        columns = (on_device(column.copy(), self._device) for column in (tokens, masked))  # a model may mask in place
        padding = {} if lengths is None else {"lengths": on_device(lengths, self._device)}
        with torch.no_grad():
            returned = self._model.token_log_probs(*columns, **padding)
        if not isinstance(returned, torch.Tensor) or returned.ndim != 2 or len(returned) != count:
            got = f"shape {tuple(returned.shape)}" if isinstance(returned, torch.Tensor) else type(returned).__name__
            raise ModelError(
                f"the model's token_log_probs must return a tensor of shape ({count}, vocabulary), one row for each "
                f"masked position, it returned {got}"
            )
        if not returned.is_floating_point():
            raise ModelError(
                f"the model's token_log_probs must return log-probabilities in floating point, it returned "
                f"{returned.dtype}"
            )
        self._vocabulary = returned.shape[1]
        if targets.max() >= self._vocabulary:
            raise ModelError(
                f"the model's token_log_probs returned {self._vocabulary} log-probabilities for a position, so it has "
                f"none for token {targets.max()}"
            )
        step = max(1, ELEMENTS_PER_CHUNK // self._vocabulary)
        chunks = (slice(start, start + step) for start in range(0, len(targets), step))
        parts = [self._reduced(returned.detach(), places[chunk], targets[chunk]) for chunk in chunks]
        scores, log_probs, totals = (torch.cat(column).cpu().double().numpy() for column in zip(*parts, strict=True))
        normalised = np.abs(totals) <= UNNORMALISED[returned.dtype in HALF]
        return Reading(np.nan_to_num(scores), log_probs, np.where(normalised, 0.0, totals))

    def _reduced(
        self, returned: torch.Tensor, places: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> tuple[torch.Tensor, ...]:
        log_probs = returned[torch.from_numpy(places).to(returned.device)]
        log_probs = log_probs if log_probs.dtype == torch.float64 else log_probs.float()
        own = log_probs.gather(1, torch.from_numpy(targets).to(returned.device)[:, None])[:, 0]
        return self._score(log_probs), own, log_probs.logsumexp(dim=-1)
