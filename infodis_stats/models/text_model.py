"""The protocol of models that score text: a conditional model with a tokenizer and a maximum length."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from estimators import ConditionalModel, InputError

__all__ = ["TextModel", "check_text_model", "conditioned"]

METHODS = ("token_nll", "longest", "encode", "decode", "describe", "fingerprint")


@runtime_checkable
class TextModel(ConditionalModel, Protocol):
    """A ``ConditionalModel`` that converts text to tokens (a runtime-checkable protocol).

    Any object with these methods, and ``token_nll(tokens, masked)`` as in ``ConditionalModel``, can be passed to the
    functions that score text.

    Examples
    --------
    >>> from infodis_stats import load_model
    >>> model = load_model("austen")
    >>> isinstance(model, TextModel)
    True
    >>> model.longest, model.encode("It is").shape
    (128, (5,))
    """

    @property
    def longest(self) -> int:
        """Longest sequence in tokens, context included."""
        ...

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,), without special tokens; `InputError` if impossible."""
        ...

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Convert tokens (length,) to text."""
        ...

    def describe(self) -> str:
        """Return a short description."""
        ...

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights and configuration, in hexadecimal."""
        ...


def check_text_model(model: object, name: str) -> TextModel:
    """Return a model that scores text; raise `InputError` if it lacks a method for that.

    Examples
    --------
    >>> from infodis_stats import load_model
    >>> check_text_model(load_model("austen"), "austen").longest
    128
    """
    if isinstance(model, TextModel):
        return model
    missing = [method for method in METHODS if not hasattr(model, method)]
    raise InputError(
        f"{name!r} has no {', '.join(missing)}: a model that scores text needs {', '.join(METHODS[:-1])} and "
        f"{METHODS[-1]}, as in TextModel"
    )


def conditioned(model: TextModel, name: str, prompt: str, text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Convert a prompt and a text to tokens, and mark the tokens of the prompt as given.

    Parameters
    ----------
    model : TextModel
    name : str
        Name of the record in error messages.
    prompt, text : str
        Encoded separately, so that no token spans both.

    Returns
    -------
    tokens : array of int64, shape (length,)
    given : array of bool, shape (length,)
        True for the tokens of the prompt.

    Raises
    ------
    InputError
        If the model cannot encode the prompt or the text, or they are too long for it.
    """
    check_text_model(model, type(model).__name__)
    if not all(isinstance(part, str) for part in (prompt, text)):
        kinds = f"{type(prompt).__name__} and {type(text).__name__}"
        raise InputError(f"{name!r}: prompt and text must be strings, got {kinds}")
    try:
        given, scored = model.encode(prompt), model.encode(text)
    except InputError as error:
        raise InputError(f"{name!r}: {error}") from error
    tokens = np.concatenate([given, scored])
    if len(tokens) > model.longest:
        raise InputError(f"{name!r} has {len(tokens)} tokens, but the model takes at most {model.longest}")
    return tokens, np.arange(len(tokens)) < len(given)
