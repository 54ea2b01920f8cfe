"""Blocks: the runs of positions that a block-diffusion model generates one after the other."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.target import Pair, Target

__all__ = ["Blocks"]

LARGEST = 2**31  # positions

Item = TypeVar("Item", bound=Target | Pair)


@dataclass(frozen=True)
class Blocks:
    """The blocks of a model, which begin at the positions ``start + n * size``.

    Parameters
    ----------
    size : int
        Positions of a block.
    start : int, default 0
        A position at which a block begins, kept modulo the size; the first and the last block of a sequence may be
        partial.

    Raises
    ------
    InputError
        If the size is not a positive integer, or the start not an integer.

    Examples
    --------
    >>> from estimators import make_targets
    >>> (target,) = make_targets([[0, 1, 2, 3, 4, 5, 6]], context=2)
    >>> Blocks(3).of(target).blocks, Blocks(3, start=2).of(target).blocks
    ((1, 3, 1), (3, 2))
    """

    size: int
    start: int = 0

    def __post_init__(self) -> None:
        if not _is_integer(self.size) or self.size < 1:
            raise InputError(f"block_size must be a positive integer, got {self.size!r}")
        if self.size > LARGEST:
            raise InputError(f"block_size must be at most {LARGEST}, got {self.size}")
        if not _is_integer(self.start):
            raise InputError(f"block_start must be an integer, got {self.start!r}")
        object.__setattr__(self, "start", self.start % self.size)  # equal blocks are equal values

    def __str__(self) -> str:
        """Return the blocks in words."""
        return f"blocks of {self.size}{f' that begin at position {self.start}' if self.start else ''}"

    def numbers(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the block of each position."""
        return (positions - self.start) // self.size

    def of(self, item: Item) -> Item:
        """Return a target, or a pair of them, that knows its blocks.

        Raises
        ------
        InputError
            If a block is scored and a token of a later one is context, which the model does not see.
        """
        if isinstance(item, Pair):
            return replace(item, first=self.of(item.first), second=self.of(item.second))
        return replace(item, blocks=self._lengths(item))

    def _lengths(self, target: Target) -> tuple[int, ...]:
        scored = self.numbers(target.scored)
        given = np.delete(np.arange(len(target.tokens)), target.scored)
        unseen = given[self.numbers(given) > scored[0]]
        if len(unseen):
            raise InputError(
                f"{target.label}: position {unseen[0]} is context, but a block-diffusion model with {self} "
                f"does not see it when it scores position {target.scored[0]}, which is in an earlier block"
            )
        return tuple(np.unique(scored, return_counts=True)[1].tolist())


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
