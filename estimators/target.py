"""Targets: what is scored, given which context, and the key of a target's random stream."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = [
    "Context",
    "Pair",
    "Target",
    "Tokens",
    "make_pairs",
    "make_targets",
    "scored_masks",
    "token_arrays",
]

Tokens = ArrayLike | Sequence[ArrayLike]
"""Equal lengths: an integer array (sequence, length). Unequal lengths: a sequence of integer arrays."""

Context = int | ArrayLike | Sequence[ArrayLike] | None
"""None: everything is scored. An int: so many leading tokens are given. Booleans like the tokens: True is given."""


@dataclass(frozen=True, eq=False)
class Target:
    """One sequence with its scored positions; all others are context: never masked, never scored.

    Attributes
    ----------
    tokens : array of int64, shape (total,)
    scored : array of int64, shape (length,)
        Positions that are scored, ascending.
    label : str
        Its name in messages and tables.
    key : str
        What its random stream depends on: its given name, or a digest of its content and its occurrence number among
        equals; never its row number.
    blocks : tuple of int, default ()
        Of a block-diffusion model: the number of scored positions of each block that has any. `Blocks.of` sets it.

    Examples
    --------
    >>> (target,) = make_targets([[0, 1, 2, 3]], context=1, names=["first"])
    >>> target.length, target.label, target.key
    (3, "sequence 'first'", 'name:first')
    """

    tokens: NDArray[np.int64]
    scored: NDArray[np.int64]
    label: str
    key: str
    blocks: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """Number of scored positions."""
        return len(self.scored)

    @property
    def planned(self) -> tuple[int, ...]:
        """Numbers of scored positions that are planned together: of each block, or all."""
        return self.blocks or (self.length,)

    @property
    def longest_block(self) -> int:
        """Number of scored positions of the longest block, or all."""
        return max(self.planned)

    @property
    def sides(self) -> tuple[Target, ...]:
        """The target itself; a `Pair` has two sides."""
        return (self,)

    @property
    def longer(self) -> Target:
        """The target itself; of a `Pair` the side with the longer block, or the longer one."""
        return self


@dataclass(frozen=True, eq=False)
class Pair:
    """Two targets whose log-likelihoods are compared.

    Attributes
    ----------
    first, second : Target
    label, key : str
        As those of a `Target`.

    Examples
    --------
    >>> (pair,) = make_pairs([[0, 1, 2]], [[0, 3, 2]], context=1)
    >>> pair.label, [side.length for side in pair.sides]
    ('pair 0', [2, 2])
    """

    first: Target
    second: Target
    label: str
    key: str

    @property
    def sides(self) -> tuple[Target, ...]:
        """Both targets."""
        return (self.first, self.second)

    @property
    def longer(self) -> Target:
        """The side with the longer block, or the longer one: `auto` chooses for it."""
        return max(self.sides, key=lambda side: (side.longest_block, side.length))


def token_arrays(tokens: Tokens) -> list[NDArray[np.int64]]:
    """Check token sequences and return them as int64 arrays.

    Raises
    ------
    InputError
        If there is none, or one is empty, not one-dimensional, not of integers, or has a negative token.
    """
    if isinstance(tokens, np.ndarray) and tokens.ndim != 2 and tokens.dtype != object:
        raise InputError(f"tokens need shape (sequence, length), got {tokens.shape}")
    rows = _arrays(tokens, "tokens", "a sequence of rows of integers")
    if not rows:
        raise InputError("there is no sequence to score")
    for index, row in enumerate(rows):
        if row.ndim != 1 or row.size == 0:
            raise InputError(f"sequence {index} needs a non-empty row of tokens, got shape {row.shape}")
        if row.dtype.kind not in "iu":
            raise InputError(f"sequence {index} has tokens of type {row.dtype}; tokens are integers")
        if row.min() < 0:
            position = int(row.argmin())
            raise InputError(f"sequence {index}, position {position}: token {row[position]} is negative")
        if row.max() > np.iinfo(np.int64).max:
            position = int(row.argmax())
            raise InputError(f"sequence {index}, position {position}: token {row[position]} is larger than any model's")
    return [row.astype(np.int64) for row in rows]


def _check_names(names: Any) -> None:
    try:
        strings = not isinstance(names, str) and len(names) >= 0 and all(isinstance(name, str) for name in names)
    except TypeError:
        strings = False
    if not strings:
        raise InputError("names must be a sequence of strings, one for each row")
    for name in names:
        if any("\ud800" <= symbol <= "\udfff" for symbol in name):
            raise InputError(f"names must be Unicode, but {name!r} has half a surrogate pair")


def _arrays(rows: Any, what: str, right: str) -> list[NDArray[Any]]:
    try:
        return [np.asarray(row) for row in rows]
    except (TypeError, ValueError) as error:  # no sequence at all, or a row of rows of unequal lengths
        raise InputError(f"{what}: needed {right}, but this {type(rows).__name__} is none") from error


def scored_masks(context: Context, lengths: Sequence[int]) -> list[NDArray[np.bool_]]:
    """Turn a context into the scored positions of each sequence.

    Parameters
    ----------
    context : int, array of bool, sequence of arrays of bool, or None
        See `Context`.
    lengths : sequence of int
        Number of tokens of each sequence.

    Returns
    -------
    list of arrays of bool
        True where a position is scored.

    Raises
    ------
    InputError
        If the context does not fit, or leaves a sequence with nothing to score.
    """
    if context is None:
        context = 0
    if isinstance(context, int | np.integer):
        if context < 0:
            raise InputError(f"context needs a number of leading tokens >= 0, got {context}")
        scored = [np.arange(length) >= context for length in lengths]
    else:
        given = _arrays(context, "context", "a number, or a sequence of rows of booleans")
        if len(given) != len(lengths):
            raise InputError(f"context has {len(given)} rows for {len(lengths)} sequences")
        for index, (row, length) in enumerate(zip(given, lengths, strict=True)):
            if row.dtype != bool or row.shape != (length,):
                raise InputError(
                    f"context of sequence {index} needs {length} booleans, got {row.dtype} of shape {row.shape}"
                )
        scored = [~row for row in given]
    for index, row in enumerate(scored):
        if not row.any():
            raise InputError(f"sequence {index}: all {len(row)} tokens are context, nothing is left to score")
    return scored


def _numbered(keys: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    numbered = []
    for key in keys:
        numbered.append(f"{key}#{seen[key]}")
        seen[key] += 1
    return numbered


def _digest(tokens: NDArray[np.int64], scored: NDArray[np.bool_]) -> str:
    content = np.concatenate([[len(tokens)], tokens, scored]).astype("<i8")
    return hashlib.sha256(content.tobytes()).hexdigest()


def _keys_and_labels(digests: list[str], names: Sequence[str] | None, kind: str) -> tuple[list[str], list[str]]:
    if names is None:
        return _numbered(digests), [f"{kind} {index}" for index in range(len(digests))]
    _check_names(names)
    if len(names) != len(digests):
        raise InputError(f"there are {len(names)} names for {len(digests)} {kind}s")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"names need to differ, but {repeated[0]!r} stands more than once")
    return [f"name:{name}" for name in names], [f"{kind} {name!r}" for name in names]


def make_targets(tokens: Tokens, context: Context = None, names: Sequence[str] | None = None) -> list[Target]:
    """Check sequences and their context and return one target each.

    Parameters
    ----------
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
        Token ids.
    context : int, array of bool, sequence of arrays of bool, or None
        The first ``context`` tokens are given, or the positions marked True.
    names : sequence of str, optional
        Distinct names; a target's random stream then depends on its name instead of its content.

    Raises
    ------
    InputError
        One sentence that says which sequence and what is wrong.

    Examples
    --------
    >>> target, = make_targets([[0, 1, 2, 3]], context=1)
    >>> target.scored.tolist()
    [1, 2, 3]
    """
    rows = token_arrays(tokens)
    scored = scored_masks(context, [len(row) for row in rows])
    keys, labels = _keys_and_labels([_digest(*pair) for pair in zip(rows, scored, strict=True)], names, "sequence")
    return [
        Target(row, np.flatnonzero(mask), label, key)
        for row, mask, label, key in zip(rows, scored, labels, keys, strict=True)
    ]


def _check_one_context(firsts: Sequence[Target], seconds: Sequence[Target]) -> None:
    for index, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
        if not np.array_equal(_given(first), _given(second)):
            raise InputError(
                f"pair {index}: its sides are given different tokens; where that is meant, pass second_context"
            )


def _given(target: Target) -> NDArray[np.int64]:
    return np.delete(target.tokens, target.scored)


def make_pairs(
    first: Tokens,
    second: Tokens,
    context: Context = None,
    names: Sequence[str] | None = None,
    *,
    second_context: Context = None,
) -> list[Pair]:
    """Check sequences that are compared two by two.

    Arguments as in `make_targets`. ``context`` is for both sides, which must then be given the same tokens, unless the
    second has a ``second_context``.

    Raises
    ------
    InputError
        As `make_targets`; if there are not as many first as second sequences; if the sides of a pair are given
        different tokens and there is no ``second_context``.

    Examples
    --------
    >>> pair, = make_pairs([[0, 1, 2]], [[0, 3]], context=1)
    >>> pair.first.length, pair.second.length
    (2, 1)
    """
    firsts = make_targets(first, context)
    seconds = make_targets(second, context if second_context is None else second_context)
    if len(firsts) != len(seconds):
        raise InputError(f"pairs need as many first as second sequences, got {len(firsts)} and {len(seconds)}")
    if second_context is None:
        _check_one_context(firsts, seconds)
    sides = list(zip(firsts, seconds, strict=True))
    digests = ["|".join(side.key.split("#")[0] for side in pair) for pair in sides]
    keys, labels = _keys_and_labels(digests, names, "pair")
    return [
        Pair(
            replace(left, label=f"first of {label}", key=f"{key}/first"),
            replace(right, label=f"second of {label}", key=f"{key}/second"),
            label,
            key,
        )
        for (left, right), label, key in zip(sides, labels, keys, strict=True)
    ]
