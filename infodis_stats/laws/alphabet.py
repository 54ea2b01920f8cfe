"""Symbols and tokens; a token is the index of a symbol in an alphabet."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from estimators.errors import InputError, TokenError

__all__ = ["check_alphabet", "check_tokens", "decode", "encode", "token_rows"]

MOST_SYMBOLS = 4096
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_alphabet(alphabet: str) -> None:
    """Raise an `InputError` unless the alphabet is a string of 1 to 4096 distinct symbols."""
    if not isinstance(alphabet, str) or not alphabet:
        raise InputError(f"alphabet must be a string of at least one symbol, got {alphabet!r}")
    if len(alphabet) > MOST_SYMBOLS:
        raise InputError(f"alphabet must have at most {MOST_SYMBOLS} symbols, got {len(alphabet)}")
    if any("\ud800" <= symbol <= "\udfff" for symbol in alphabet):
        raise InputError(f"alphabet must consist of Unicode symbols, but {alphabet!r} has half a surrogate pair")
    for symbol, count in Counter(alphabet).items():
        if count > 1:
            raise InputError(f"alphabet must have distinct symbols, but {alphabet!r} repeats {symbol!r}")


def check_tokens(tokens: Tensor, alphabet: str) -> None:
    """Raise a `TokenError` for the first token outside the alphabet."""
    if tokens.ndim != 2 or tokens.dtype not in INTEGERS:
        raise InputError(
            f"tokens must be integers of shape (batch, length), got {tokens.dtype} of shape {tuple(tokens.shape)}"
        )
    if not tokens.numel():
        return
    smallest, largest = torch.aminmax(tokens)
    if smallest < 0 or largest >= len(alphabet):
        row, position = ((tokens < 0) | (tokens >= len(alphabet))).nonzero()[0].tolist()
        problem = f"token {tokens[row, position]} is outside the alphabet {alphabet} (0 to {len(alphabet) - 1})"
        raise TokenError(row, position, problem)


def token_rows(tokens: ArrayLike, alphabet: str) -> NDArray[np.int64]:
    """Check tokens and copy them into an int64 array (sequence, length)."""
    try:
        array = np.asarray(tokens)
    except ValueError as error:
        raise InputError(
            f"tokens must be integers of shape (sequence, length), all sequences of equal length: {error}"
        ) from error
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise InputError(
            f"tokens must be integers of shape (sequence, length), got {array.dtype} of shape {array.shape}"
        )
    rows = np.array(array, dtype=np.int64)
    check_tokens(torch.from_numpy(rows), alphabet)
    return rows


def encode(strings: Sequence[str], alphabet: str) -> NDArray[np.int64]:
    """Convert strings of equal length to tokens (sequence, length)."""
    if isinstance(strings, str):
        raise InputError(f"encode needs a list of strings, got a single string {strings!r}")
    length = len(strings[0]) if len(strings) else 0
    if length == 0:
        raise InputError("encode needs at least one string of at least one symbol")
    code = {symbol: token for token, symbol in enumerate(alphabet)}
    tokens = np.empty((len(strings), length), dtype=np.int64)
    for row, string in enumerate(strings):
        if len(string) != length:
            raise InputError(
                f"strings must have equal length, but string 0 has {length} symbols and string {row} has {len(string)}"
            )
        try:
            tokens[row] = [code[symbol] for symbol in string]
        except KeyError as error:
            symbol = error.args[0]
            raise InputError(
                f"string {row}, position {string.index(symbol)}: symbol {symbol!r} is outside the alphabet {alphabet}"
            ) from None
    return tokens


def decode(tokens: ArrayLike, alphabet: str) -> list[str]:
    """Convert tokens (sequence, length) to strings."""
    return ["".join(alphabet[token] for token in row) for row in token_rows(tokens, alphabet)]
