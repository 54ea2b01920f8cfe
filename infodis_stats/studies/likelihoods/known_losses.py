"""The losses of all masks of some targets as a model: what estimators draw from it costs no forward pass."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError, Target
from estimators.model import blocks_of, is_consistent
from infodis_stats.results.provenance import model_fingerprint

__all__ = ["KnownLosses"]


class KnownLosses:
    """A model that looks up losses which another model gave.

    Parameters
    ----------
    model : Model
        Whose losses they are.
    targets : sequence of Target
        They know the blocks of the model.
    losses : sequence of arrays of float64, shape (masks, length)
        Of each target, the losses under an exhaustive plan, in nats; more rows and columns are not read.

    Examples
    --------
    >>> import numpy as np
    >>> from estimators import estimator, make_targets
    >>> from infodis_stats.laws import MarkovChain
    >>> law = MarkovChain.random(order=1, alphabet="AB", seed=0)
    >>> (target,) = make_targets([[0, 1]])
    >>> known = KnownLosses(law, [target], [np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])])
    >>> known.token_nll(torch.tensor([[0, 1]]), torch.tensor([[False, True]])).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, model: object, targets: Sequence[Target], losses: Sequence[NDArray[np.float64]]) -> None:
        blocks = blocks_of(model)
        self.block_size = None if blocks is None else blocks.size
        self.block_start = 0 if blocks is None else blocks.start
        self.consistent = is_consistent(model)
        self._known: dict[bytes, list[tuple[Target, NDArray[np.float64]]]] = {}
        self._fingerprint = model_fingerprint(model)
        for target, table in zip(targets, losses, strict=True):
            self._known.setdefault(target.tokens.tobytes(), []).append((target, table))

    def fingerprint(self) -> str:
        """Return that of the model, marked."""
        return f"known losses of {self._fingerprint}"

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Look the losses up. Raises `InputError` for masks of targets that are not known."""
        rows, owners = np.unique(tokens.cpu().numpy(), axis=0, return_inverse=True)
        masks, values = masked.cpu().numpy(), np.zeros(masked.shape)
        for owner, row in enumerate(rows):
            here = np.flatnonzero(owners == owner)
            values[here] = self._look_up(row, masks[here])
        return torch.from_numpy(values).to(masked.device)

    def _look_up(self, row: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        values = np.zeros(masks.shape)
        for target, table in self._known.get(row.astype(np.int64).tobytes(), []):
            given = np.ones(len(row), dtype=bool)
            given[target.scored] = False
            if masks[:, given].any():
                continue
            start = 0
            for length in target.planned:
                here = target.scored[start : start + length]
                code = masks[:, here] @ 2 ** np.arange(length)
                own = table[np.maximum(code - 1, 0)][:, start : start + length]
                values[:, here] = np.where(masks[:, here], own, 0.0)
                start += length
            return values
        raise InputError("these masks are of no target whose losses are known")
