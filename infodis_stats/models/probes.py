"""Cheap probes of a model: which tokens its predictions depend on, found by changing one token at a time."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError

__all__ = ["Attention", "allowed_tokens", "attention_pattern", "dependence", "pattern_of"]

CHEAP_LENGTH, LENGTH = 32, 64
SYMBOLS = 4  # distinct tokens in a probe, at least 2

Pattern = Literal["bidirectional", "causal", "block-causal", "none", "irregular"]


@dataclass(frozen=True)
class Attention:
    """On which tokens the predictions of a model depend.

    Attributes
    ----------
    pattern : {"bidirectional", "causal", "block-causal", "none", "irregular"}
    block_size : int, optional
        Of a block-causal pattern.

    Examples
    --------
    >>> print(Attention("block-causal", 4))
    block-causal with blocks of 4
    """

    pattern: Pattern
    block_size: int | None = None

    def __str__(self) -> str:
        """Return the pattern in words."""
        return f"{self.pattern} with blocks of {self.block_size}" if self.block_size else self.pattern


def attention_pattern(model: Any, *, cheap: bool = False, seed: int = 0) -> Attention:
    """Find the attention pattern of a model by changing one visible token at a time.

    Parameters
    ----------
    model : ConditionalModel
        With ``longest`` and ``vocabulary`` if it has them.
    cheap : bool, default False
        Whether to change only the first token and the last two of 32, instead of each of up to 64.
    seed : int, default 0

    Returns
    -------
    Attention
    """
    length = min(CHEAP_LENGTH if cheap else LENGTH, int(getattr(model, "longest", LENGTH)))
    if length < 3:
        return Attention("irregular")
    positions = [0, length - 2, length - 1] if cheap else list(range(length))
    return pattern_of(dependence(model, length, positions, seed), positions)


def dependence(model: Any, length: int, positions: list[int], seed: int = 0) -> NDArray[np.int8]:
    """Find which losses change if one visible token does.

    Every other position is masked, first the even and then the odd ones, and one visible token is changed per row.

    Parameters
    ----------
    model : ConditionalModel
    length : int
    positions : list of int
        The tokens to change.
    seed : int, default 0

    Returns
    -------
    array of int8, shape (positions, length)
        1 where a loss depends on the token, 0 where it does not, -1 where that was not measured.
    """
    rng = np.random.default_rng(seed)
    row = rng.integers(0, SYMBOLS, length)
    row = _symbols(model)[row]
    found = np.full((len(positions), length), -1, dtype=np.int8)
    first_scored = int(bool(getattr(model, "shifted", False)) and not getattr(model, "before", ()))
    for parity in (0, 1):
        masked = np.arange(length) % 2 == parity
        masked[:first_scored] = False
        changed = [index for index, position in enumerate(positions) if not masked[position]]
        if not changed:
            continue
        tokens = np.tile(row, (len(changed) + 2, 1))
        for place, index in enumerate(changed):
            tokens[place, positions[index]] = _other(row[positions[index]], model)
        losses = _losses(model, tokens, np.tile(masked, (len(tokens), 1)))
        noise = np.abs(losses[-1] - losses[-2]).max()  # of arithmetic that is not reproducible
        moved = np.abs(losses[: len(changed)] - losses[-1]) > 8 * noise
        for index, places in zip(changed, moved, strict=True):
            found[index, masked] = places[masked]
    return found


def pattern_of(found: NDArray[np.int8], positions: list[int]) -> Attention:
    """Name the pattern that explains a dependence matrix.

    Examples
    --------
    >>> i, j = np.arange(8), np.arange(8)[:, None]
    >>> print(pattern_of((i >= j).astype(np.int8), list(range(8))))
    causal
    >>> print(pattern_of((i >= j // 4 * 4).astype(np.int8), list(range(8))))
    block-causal with blocks of 4
    """
    known, length = found >= 0, found.shape[1]
    if not (found == 1).any():
        return Attention("none")
    if (found[known] == 1).all():
        return Attention("bidirectional")
    places, later = np.asarray(positions)[:, None], np.arange(length)
    for size in range(1, length):
        for start in range(size):
            block = (places - start) // size * size + start
            if ((later >= block) == (found == 1))[known].all():
                return Attention("causal") if size == 1 else Attention("block-causal", size)
    before, after = (found == 1) & (later < places), (found == 1) & (later > places)
    if before.any() and after.any():
        return Attention("bidirectional")
    return Attention("irregular")


def _losses(model: Any, tokens: NDArray[np.int64], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
    arguments = [torch.from_numpy(tokens), torch.from_numpy(masked)]
    if getattr(model, "needs_context", False):
        arguments.append(torch.zeros_like(arguments[1]))
    with torch.no_grad():
        losses: NDArray[np.float64] = model.token_nll(*arguments).double().cpu().numpy()
    return losses


def allowed_tokens(model: Any, most: int = 4096) -> list[int]:
    """Return tokens that can be part of a sequence: not the mask, nor a special token that the model adds.

    Parameters
    ----------
    model : ConditionalModel
        Its ``vocabulary`` or ``vocabulary_size`` is the number of tokens; without them, 2 are assumed.
    most : int, default 4096
        The first so many are enough.
    """
    vocabulary = int(getattr(model, "vocabulary", getattr(model, "vocabulary_size", 2)))
    refused = {getattr(model, "mask_id", None), *getattr(model, "before", ()), *getattr(model, "after", ())}
    return [token for token in range(min(vocabulary, most)) if token not in refused]


def _symbols(model: Any) -> NDArray[np.int64]:
    """Return distinct tokens for a probe."""
    allowed = allowed_tokens(model)[:SYMBOLS]
    if len(allowed) < 2:
        raise InputError("a probe needs at least 2 tokens beside the special ones")
    return np.resize(np.array(allowed, dtype=np.int64), SYMBOLS)


def _other(token: np.int64, model: Any) -> int:
    return next(int(symbol) for symbol in _symbols(model) if symbol != token)
