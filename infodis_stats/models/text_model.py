"""The protocols of models that score text: any model with a tokenizer and a maximum length."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from estimators import ConditionalModel, InputError, ScoreModel

__all__ = ["MaskedTextModel", "NoisedTextModel", "TextModel", "check_text_model"]

LOSSES = ("token_nll", "log_ratios")
METHODS = ("longest", "encode", "decode", "describe", "fingerprint")


class Texts(Protocol):
    """What makes a model one that scores text: a tokenizer, and a maximum length."""

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


@runtime_checkable
class MaskedTextModel(Texts, ConditionalModel, Protocol):
    """A ``ConditionalModel`` that converts text to tokens (a runtime-checkable protocol).

    Examples
    --------
    >>> from infodis_stats import load_model
    >>> model = load_model("austen")
    >>> isinstance(model, MaskedTextModel), isinstance(model, NoisedTextModel)
    (True, False)
    """


@runtime_checkable
class NoisedTextModel(Texts, ScoreModel, Protocol):
    """A ``ScoreModel`` that converts text to tokens (a runtime-checkable protocol), as one for uniform noise."""


TextModel = MaskedTextModel | NoisedTextModel
"""A model that scores text.

Any object with the methods of `Texts`, and ``token_nll(tokens, masked)`` as in ``ConditionalModel`` or ``log_ratios``
as in ``ScoreModel``, can be passed to the functions that score text.
"""


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
    if not any(hasattr(model, method) for method in LOSSES):
        missing.append(" or ".join(LOSSES))
    raise InputError(
        f"{name!r} has no {', '.join(missing)}: a model that scores text needs {', '.join(METHODS)}, and "
        f"{LOSSES[0]} (of masked tokens) or {LOSSES[1]} (of noised ones), as in TextModel"
    )
