"""Probes of a model: on which tokens its predictions depend, found by changing one token at a time."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Attention", "allowed_tokens", "attention_pattern", "dependence", "pattern_of"]

LENGTH, LONGEST = 64, 256
SYMBOLS = 8  # distinct tokens in a probe, spread over the vocabulary
FEWEST = 0.2  # of the losses that a pattern lets depend on a later token do so; rounding hides weak dependences

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
        Whether to change the tokens at both sides of each quarter of the sequence only, instead of all: this finds
        blocks of 2, 4, 8, 16 or 32.
    seed : int, default 0

    Returns
    -------
    Attention
    """
    return pattern_of(dependence(model, cheap=cheap, seed=seed), in_front=len(getattr(model, "before", ())))


def dependence(model: Any, *, cheap: bool = False, seed: int = 0) -> NDArray[np.int8]:
    """Find which losses change if one visible token changes.

    Every other position is masked, first the even and then the odd ones, and one visible token is changed per row. If
    nothing changes, this is tried once more with other tokens.

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
    rng = np.random.default_rng(seed)
    found = _dependence(model, rng, cheap=cheap)
    return found if (found == 1).any() else _dependence(model, rng, cheap=cheap)


def _dependence(model: Any, rng: np.random.Generator, *, cheap: bool) -> NDArray[np.int8]:
    length = max(LENGTH, min(2 * (getattr(model, "block_size", None) or 0), LONGEST))
    length = min(length, int(getattr(model, "longest", length)))
    symbols = _symbols(model, rng)
    chosen = rng.integers(0, len(symbols), length)
    found = np.full((length, length), -1, dtype=np.int8)
    first_scored = int(bool(getattr(model, "shifted", False)) and not getattr(model, "before", ()))
    for parity in (0, 1):
        masked = np.arange(length) % 2 == parity
        masked[:first_scored] = False
        changed = np.flatnonzero(~masked & _edges(length) if cheap else ~masked)
        tokens = np.tile(symbols[chosen], (len(changed) + 2, 1))
        for place, position in enumerate(changed):
            tokens[place, position] = symbols[(chosen[position] + 1) % len(symbols)]
        losses = _losses(model, tokens, np.tile(masked, (len(tokens), 1)))
        noise = np.abs(losses[-1] - losses[-2]).max()  # of arithmetic that is not reproducible
        moved = np.abs(losses[: len(changed)] - losses[-1]) > 8 * noise
        for position, places in zip(changed, moved, strict=True):
            found[position, masked] = places[masked]
    return found


def _edges(length: int) -> NDArray[np.bool_]:
    """Return the positions at both sides of each quarter of a sequence, and at its ends."""
    quarters = np.arange(5) * length // 4
    edges = np.zeros(length, dtype=bool)
    for around in (-2, -1, 0, 1):
        edges[(quarters + around)[(quarters + around >= 0) & (quarters + around < length)]] = True
    return edges


def pattern_of(found: NDArray[np.int8], in_front: int = 0) -> Attention:
    """Name the narrowest pattern that contains all dependences of a matrix as `dependence` returns it.

    Parameters
    ----------
    found : array of int8, shape (length, length)
        If some rows were not measured, blocks must begin with the sequence or with the tokens in front of it, and their
        sizes be powers of 2.
    in_front : int, default 0
        Number of tokens before the sequence.

    Examples
    --------
    >>> i, j = np.arange(8), np.arange(8)[:, None]
    >>> print(pattern_of((i >= j).astype(np.int8)))
    causal
    >>> print(pattern_of((i >= j // 4 * 4).astype(np.int8)))
    block-causal with blocks of 4
    """
    depends, length = found == 1, len(found)
    whole = bool((found >= 0).any(axis=1).all())
    positions = np.arange(length)
    places = positions[:, None]
    if not depends.any():
        return Attention("none")
    if length < 4:
        return Attention("irregular")
    if (positions >= places)[depends].all():
        return Attention("causal")
    sizes = range(2, length // 2 + 1) if whole else [size for size in (2, 4, 8, 16, 32) if size <= length // 2]
    for size in sizes:
        for start in range(size) if whole else sorted({0, -in_front % size}):
            block = (places - start) // size * size + start
            later_in_block = (positions >= block) & (positions < places)
            if (positions >= block)[depends].all() and _often(found, later_in_block):
                return Attention("block-causal", size)
    both_sides = (depends & (positions < places)).any() and (depends & (positions > places)).any()
    if both_sides and (not whole or _often(found, positions < places)):
        return Attention("bidirectional")
    return Attention("irregular")


def _often(found: NDArray[np.int8], allowed: NDArray[np.bool_]) -> bool:
    """Return whether enough losses depend on any of the tokens on which they may, as far as that was measured."""
    measured = (allowed & (found >= 0)).any(axis=0)
    return bool((allowed & (found == 1)).any(axis=0)[measured].mean() >= FEWEST) if measured.any() else False


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


def _symbols(model: Any, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return distinct tokens for a probe, spread over the vocabulary."""
    allowed = np.array(allowed_tokens(model, most=2**20), dtype=np.int64)
    return rng.choice(allowed, size=min(SYMBOLS, len(allowed)), replace=False)
