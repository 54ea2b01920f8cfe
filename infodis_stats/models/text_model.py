"""What text needs of a model beside the seam: tokens for strings, and how long they may be."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from estimators import ConditionalModel, InputError

__all__ = ["TextModel", "conditioned"]


@runtime_checkable
class TextModel(ConditionalModel, Protocol):
    """A `ConditionalModel` that reads text."""

    @property
    def longest(self) -> int:
        """Longest sequence, context included, in tokens."""
        ...

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn text into tokens, (length,), without any special token; `InputError` where that is impossible."""
        ...

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Turn tokens (length,) into text."""
        ...

    def describe(self) -> str:
        """Say in a few words what model this is."""
        ...

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights and configuration, in hexadecimal."""
        ...


def conditioned(model: TextModel, name: str, prompt: str, text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Turn a prompt and a text into tokens, and say which of them are given.

    Parameters
    ----------
    model : TextModel
    name : str
        What messages call them.
    prompt, text : str
        They are encoded apart, so that no token spans both.

    Returns
    -------
    tokens : array of int64, shape (length,)
    given : array of bool, shape (length,)
        True for the prompt's.

    Raises
    ------
    InputError
        If the model does not know a piece of them, or they do not fit into it.
    """
    try:
        given, scored = model.encode(prompt), model.encode(text)
    except InputError as error:
        raise InputError(f"{name!r}: {error}") from error
    tokens = np.concatenate([given, scored])
    if len(tokens) > model.longest:
        raise InputError(f"{name!r} has {len(tokens)} tokens, and the model takes {model.longest}")
    return tokens, np.arange(len(tokens)) < len(given)
