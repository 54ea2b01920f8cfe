"""Symbols of a model: names of its tokens, and the tokens that a substitution may introduce."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import InputError, Model
from infodis_stats.laws import Law
from infodis_stats.models import Denoiser, TextModel
from infodis_stats.models.encoding import encoded_sequence

__all__ = [
    "RESIDUES",
    "alternatives",
    "check_same_symbols",
    "encode_sequence",
    "printed_symbols",
    "symbol_names",
    "symbol_tokens",
]

MOSTLY = 0.5  # of the tokens of a protein are residues

DIFFERENT = (
    "the two models divide the text into different tokens, so one cannot be scored on those of the other; both must "
    "have the same alphabet or tokenizer"
)

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The 20 standard amino-acid residues."""


def encode_sequence(model: Law | TextModel, text: str) -> NDArray[np.int64]:
    """Convert a sequence to tokens, int64 of shape (length,).

    If the tokenizer of the model fails, the symbols are separated by spaces, as some protein models require.

    Raises
    ------
    InputError
        If the model does not know a symbol.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> encode_sequence(MarkovChain.random(order=1, alphabet="ACGT", seed=0), "GATT").tolist()
    [2, 0, 3, 3]
    """
    if isinstance(model, Law):
        tokens: NDArray[np.int64] = model.encode([text])[0]
        return tokens
    return encoded_sequence(model, text)


def check_same_symbols(first: Model, second: Model, sequences: Sequence[NDArray[np.int64]]) -> None:
    """Refuse sequences of which a second model has other tokens, or tokens that stand for other symbols.

    Models without an alphabet or a tokenizer are not compared.

    Raises
    ------
    InputError
        The message names the first such token.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> laws = [MarkovChain.random(order=1, alphabet=alphabet, seed=0) for alphabet in ("ACGT", "ACTG")]
    >>> check_same_symbols(*laws, [np.array([0, 1])])  # token 2 would be refused
    """
    if not (isinstance(first, Law | TextModel) and isinstance(second, Law | TextModel)):
        return
    used = np.unique(np.concatenate(sequences))
    try:
        names = symbol_names(first, used), symbol_names(second, used)
    except (InputError, IndexError):  # no tokenizer, or a token that the second model itself will refuse
        names = [], []
    for token, one, other in zip(used.tolist(), *names, strict=False):
        if one != other:
            raise InputError(
                f"token {token} is {one!r} under the first model and {other!r} under the second; both must have the "
                "same alphabet or tokenizer"
            )
    if isinstance(first, TextModel) and isinstance(second, TextModel):
        try:
            texts = [first.decode(tokens) for tokens in sequences]
            same = all(np.array_equal(first.encode(text), second.encode(text)) for text in texts)
        except (InputError, IndexError):  # no tokenizer, or tokens without a text
            return
        if not same:
            raise InputError(DIFFERENT)


def symbol_tokens(model: Model, symbols: ArrayLike) -> NDArray[np.int64]:
    """Convert symbols to tokens, int64 of shape (symbol,).

    Parameters
    ----------
    model : Model
        A law or a text model if symbols are text.
    symbols : str, or array of str or int
        A string is a list of one-character symbols; integers are tokens.

    Raises
    ------
    InputError
        If there is no symbol, a symbol repeats, or a symbol is not a single token of the model.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> symbol_tokens(MarkovChain.random(order=1, alphabet="ACGT", seed=0), "TAG")
    array([3, 0, 2])
    """
    given = list(symbols) if isinstance(symbols, str) else np.atleast_1d(np.asarray(symbols)).tolist()
    tokens = [_token(model, symbol) for symbol in given]
    if not tokens:
        raise InputError("symbols must contain at least one symbol")
    for index, token in enumerate(tokens):
        if token in tokens[:index]:
            raise InputError(f"symbols must be distinct, but {given[index]!r} appears more than once")
    return np.array(tokens, dtype=np.int64)


def _token(model: Model, symbol: object) -> int:
    if isinstance(symbol, int) and symbol >= 0:
        return symbol
    if not isinstance(symbol, str):
        raise InputError(f"a symbol must be a string or a token (an integer of at least 0), got {symbol!r}")
    if not isinstance(model, Law | TextModel):
        raise InputError(f"symbol {symbol!r}: the model has no alphabet; use tokens (integers)")
    try:
        tokens = encode_sequence(model, symbol)
    except InputError as error:
        known = f"; its alphabet is {model.alphabet}" if isinstance(model, Law) else ""
        raise InputError(f"symbol {symbol!r} is not a token of the model{known}") from error
    if len(tokens) != 1:
        raise InputError(f"symbol {symbol!r} is {len(tokens)} tokens of the model; it must be a single token")
    return int(tokens[0])


def alternatives(model: Model, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the default substitutes for the tokens of a sequence.

    For a law or a `Denoiser` of characters, these are the whole alphabet. For another text model they are the 20
    standard residues, if each is a single token and most tokens of the sequence are residues: a protein may have some
    unknown residues or gaps, such as X, U, B or -. Otherwise they are the distinct tokens of the sequence.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> law = MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> alternatives(law, law.encode(["GATT"])[0])
    array([0, 1, 2, 3])
    """
    if isinstance(model, Law):
        return np.arange(len(model.alphabet))
    if isinstance(model, Denoiser) and model.config.alphabet:
        return np.arange(model.vocabulary)
    if isinstance(model, TextModel):
        try:
            residues = symbol_tokens(model, RESIDUES)
        except InputError:
            residues = tokens[:0]
        if np.isin(tokens, residues).mean() > MOSTLY:
            return residues
    return np.unique(tokens)


def symbol_names(model: Model, tokens: NDArray[np.int64]) -> list[str]:
    """Return the symbol of each token, or its number if the model has no alphabet.

    Where different tokens print alike, as parts of a character in byte-level tokenizers do, the number is added.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> symbol_names(MarkovChain.random(order=1, alphabet="ACGT", seed=0), np.array([3, 0]))
    ['T', 'A']
    """
    names = printed_symbols(model, tokens)
    kinds: dict[str, set[int]] = {}
    for name, token in zip(names, tokens.tolist(), strict=True):
        kinds.setdefault(name, set()).add(token)
    pairs = zip(names, tokens.tolist(), strict=True)
    return [f"{name} ({token})" if len(kinds[name]) > 1 else name for name, token in pairs]


def printed_symbols(model: Model, tokens: NDArray[np.int64]) -> list[str]:
    """Return what each token prints as: its symbol, or its number if the model has no alphabet."""
    if isinstance(model, Law):
        return [model.alphabet[token] for token in tokens]
    if isinstance(model, TextModel):
        return [model.decode(tokens[index : index + 1]) for index in range(len(tokens))]
    return [str(token) for token in tokens]
