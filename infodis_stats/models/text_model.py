"""The protocol of models that score text: a conditional model with a tokenizer and a maximum length."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from estimators import ConditionalModel, InputError

__all__ = ["TextModel", "check_text_model"]

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
    if hasattr(model, "alphabet"):
        raise InputError(
            f"{name!r} is a law, which scores sequences of its alphabet; encode them with encode() and use "
            "estimate_nll or estimate_log_ratio; texts need a model such as load_model('austen')"
        )
    missing = [method for method in METHODS if not hasattr(model, method)]
    raise InputError(
        f"{name!r} has no {', '.join(missing)}: a model that scores text needs {', '.join(METHODS[:-1])} and "
        f"{METHODS[-1]}, as in TextModel"
    )
