"""What text needs of a model beside the seam: tokens for strings, and how long they may be."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from estimators import ConditionalModel

__all__ = ["TextModel"]


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

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights and configuration, in hexadecimal."""
        ...
