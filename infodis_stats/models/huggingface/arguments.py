"""Checks of what is passed to a masked language model: its conventions, and the sequences to score."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from estimators import InputError, TokenError

__all__ = ["check_flag", "check_integer", "check_sequences", "check_tokens"]


class Conventions(Protocol):
    """What decides which sequences a model can score."""

    mask_id: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    shifted: bool
    vocabulary: int

    @property
    def longest(self) -> int:
        """Longest sequence in tokens."""
        ...


def check_sequences(model: Conventions, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> None:
    """Check that a model can score sequences, but for their padding if they have lengths of their own.

    Raises
    ------
    InputError
        If they are too long.
    TokenError
        For the first token that cannot be part of a sequence, or cannot be scored.
    """
    if tokens.shape[1] > model.longest:
        raise InputError(f"a sequence of {tokens.shape[1]} tokens exceeds the model's maximum of {model.longest}")
    problems = [
        ((tokens < 0) | (tokens >= model.vocabulary), f"is outside the model's {model.vocabulary} tokens"),
        (tokens == model.mask_id, "is the mask token, which cannot be part of a sequence"),
    ]
    added = "is a special token that the model adds to every sequence: remove it"
    places = torch.arange(tokens.shape[1], device=tokens.device)
    ends = torch.full((1, 1), tokens.shape[1], device=tokens.device) if lengths is None else lengths[:, None]
    first, last = places == 0, places == ends - 1
    if model.before:
        problems.append((first & (tokens == model.before[0]), added))
    elif model.shifted:
        problem = "is at the first position and cannot be scored without a BOS token before it (before=)"
        problems.append((first & masked, problem))
    if model.after:
        problems.append((last & (tokens == model.after[-1]), added))
    for found, problem in problems:
        wrong = found & (places < ends)
        if wrong.any():
            row, position = wrong.nonzero()[0].tolist()
            raise TokenError(row, position, f"token {tokens[row, position]} {problem}")


def check_integer(name: str, value: object) -> int:
    """Return a token id or a length; `InputError` if it is not an integer."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise InputError(f"{name} must be an integer, got {value!r}")
    if abs(int(value)) > np.iinfo(np.int64).max:
        raise InputError(f"{name} must be a 64-bit integer, got {value}")
    return int(value)


def check_flag(name: str, value: object) -> bool:
    """Return True or False; `InputError` if it is neither."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_tokens(name: str, tokens: object, mask_id: int) -> tuple[int, ...]:
    """Return token ids; `InputError` if they are not a sequence of integers, or contain the mask."""
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise InputError(f"{name} must be a sequence of token ids, such as (1, 2), got {tokens!r}")
    checked = tuple(check_integer(f"each token of {name}", token) for token in tokens)
    if mask_id in checked:
        raise InputError(f"{name} contains the mask, token {mask_id}")
    return checked
