"""Probes of a model: on which tokens its predictions depend, found by changing one token at a time."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError

__all__ = ["Attention", "allowed_tokens", "attention_pattern", "dependence", "pattern_of"]

CHEAP_LENGTH, LENGTH = 16, 64
SYMBOLS = 4  # distinct tokens in a probe, at least 2

Pattern = Literal["bidirectional", "causal", "block-causal", "none", "irregular"]


@dataclass(frozen=True)
class Attention:
    """The tokens on which the predictions of a model depend.

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
        Its ``longest`` and ``vocabulary`` are used if it has them.
    cheap : bool, default False
        Whether to use a sequence of 16 tokens instead of 64, which finds blocks of up to 8 instead of 32.
    seed : int, default 0

    Returns
    -------
    Attention
    """
    return pattern_of(dependence(model, cheap=cheap, seed=seed))


def dependence(model: Any, *, cheap: bool = False, seed: int = 0) -> NDArray[np.int8]:
    """Find which losses change if one visible token changes.

    Every other position is masked, first the even and then the odd ones, and one visible token is changed per row.

    Parameters
    ----------
    model, cheap, seed
        As in `attention_pattern`.

    Returns
    -------
    array of int8, shape (length, length)
        In row ``j``, column ``i``: 1 if the loss at ``i`` changes with the token at ``j``, 0 if it does not, -1 if that
        was not measured. A weak dependence can vanish in rounding.
    """
    length = min(CHEAP_LENGTH if cheap else LENGTH, int(getattr(model, "longest", LENGTH)))
    rng = np.random.default_rng(seed)
    row = rng.integers(0, SYMBOLS, length)
    row = _symbols(model)[row]
    found = np.full((length, length), -1, dtype=np.int8)
    first_scored = int(bool(getattr(model, "shifted", False)) and not getattr(model, "before", ()))
    for parity in (0, 1):
        masked = np.arange(length) % 2 == parity
        masked[:first_scored] = False
        changed = np.flatnonzero(~masked)
        tokens = np.tile(row, (len(changed) + 2, 1))
        for place, position in enumerate(changed):
            tokens[place, position] = _other(row[position], model)
        losses = _losses(model, tokens, np.tile(masked, (len(tokens), 1)))
        noise = np.abs(losses[-1] - losses[-2]).max()  # of arithmetic that is not reproducible
        moved = np.abs(losses[: len(changed)] - losses[-1]) > 8 * noise
        for position, places in zip(changed, moved, strict=True):
            found[position, masked] = places[masked]
    return found


def pattern_of(found: NDArray[np.int8]) -> Attention:
    """Name the narrowest pattern that contains all dependences of a matrix as `dependence` returns it.

    Examples
    --------
    >>> i, j = np.arange(8), np.arange(8)[:, None]
    >>> print(pattern_of((i >= j).astype(np.int8)))
    causal
    >>> print(pattern_of((i >= j // 4 * 4).astype(np.int8)))
    block-causal with blocks of 4
    """
    depends, length = found == 1, len(found)
    if not depends.any():
        return Attention("none")
    later = np.arange(length)
    places = later[:, None]
    for size in range(1, length // 2 + 1):
        for start in range(size):
            if (later >= (places - start) // size * size + start)[depends].all():
                return Attention("causal") if size == 1 else Attention("block-causal", size)
    both_sides = (depends & (later < places)).any() and (depends & (later > places)).any()
    return Attention("bidirectional" if both_sides else "irregular")


def _losses(model: Any, tokens: NDArray[np.int64], masked: NDArray[np.bool_]) -> NDArray[np.float64]:
    arguments = [torch.from_numpy(tokens), torch.from_numpy(masked)]
    if getattr(model, "needs_context", False):
        arguments.append(torch.zeros_like(arguments[1]))
    with torch.no_grad():
        losses: NDArray[np.float64] = model.token_nll(*arguments).double().cpu().numpy()
    return losses


def allowed_tokens(model: Any, most: int = 4096) -> list[int]:
    """Return tokens that can be part of a sequence: neither the mask nor a special token that the model adds.

    Parameters
    ----------
    model : ConditionalModel
        Its ``vocabulary`` or ``vocabulary_size`` is the number of tokens; without them, 2 are assumed.
    most : int, default 4096
        How many are returned at most.
    """
    vocabulary = int(getattr(model, "vocabulary", getattr(model, "vocabulary_size", 2)))
    refused = {getattr(model, "mask_id", None), *getattr(model, "before", ()), *getattr(model, "after", ())}
    return [token for token in range(min(vocabulary, most)) if token not in refused]


def _symbols(model: Any) -> NDArray[np.int64]:
    """Return distinct tokens for a probe."""
    allowed = allowed_tokens(model)[:SYMBOLS]
    if len(allowed) < 2:
        raise InputError("a probe needs at least 2 tokens besides the special ones")
    return np.resize(np.array(allowed, dtype=np.int64), SYMBOLS)


def _other(token: np.int64, model: Any) -> int:
    return next(int(symbol) for symbol in _symbols(model) if symbol != token)
