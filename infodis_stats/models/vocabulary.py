"""Symbols: what a model's tokens are called, and which of them stand in for one another."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import ConditionalModel, InputError
from infodis_stats.laws import Law
from infodis_stats.models import Denoiser, TextModel

__all__ = ["RESIDUES", "alternatives", "encode_sequence", "symbol_names", "symbol_tokens"]

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
"""The 20 standard residues of proteins."""


def encode_sequence(model: Law | TextModel, text: str) -> NDArray[np.int64]:
    """Turn a sequence into tokens, (length,).

    What the model's tokenizer does not know is read again with a space between the symbols: some protein models want
    their residues so.

    Raises
    ------
    InputError
        If there is a symbol that the model does not know.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> encode_sequence(MarkovChain.random(order=1, alphabet="ACGT", seed=0), "GATT").tolist()
    [2, 0, 3, 3]
    """
    if isinstance(model, Law):
        tokens: NDArray[np.int64] = model.encode([text])[0]
        return tokens
    try:
        return model.encode(text)
    except InputError:
        if isinstance(model, Denoiser) or " " in text:
            raise
        return model.encode(" ".join(text))


def symbol_tokens(model: ConditionalModel, symbols: ArrayLike) -> NDArray[np.int64]:
    """Turn symbols into one token each, (symbol,).

    Parameters
    ----------
    model : ConditionalModel
        Tokens are taken as they are; a symbol given as text needs a law or a text model.
    symbols : str, or array of str or int
        A string stands for its characters.

    Raises
    ------
    InputError
        If there is none, one stands twice, or one is not a single token of the model.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> symbol_tokens(MarkovChain.random(order=1, alphabet="ACGT", seed=0), "TAG")
    array([3, 0, 2])
    """
    given = list(symbols) if isinstance(symbols, str) else np.atleast_1d(np.asarray(symbols)).tolist()
    tokens = [_token(model, symbol) for symbol in given]
    if not tokens:
        raise InputError("there is no symbol to substitute")
    for index, token in enumerate(tokens):
        if token in tokens[:index]:
            raise InputError(f"symbols need to differ, but {given[index]!r} stands more than once")
    return np.array(tokens, dtype=np.int64)


def _token(model: ConditionalModel, symbol: object) -> int:
    if isinstance(symbol, int) and symbol >= 0:
        return symbol
    if not isinstance(symbol, str):
        raise InputError(f"a symbol is text or a token, got {symbol!r}")
    if not isinstance(model, Law | TextModel):
        raise InputError(f"symbol {symbol!r}: the model has no alphabet, so give tokens")
    try:
        tokens = encode_sequence(model, symbol)
    except InputError as error:
        known = f"; its alphabet is {model.alphabet}" if isinstance(model, Law) else ""
        raise InputError(f"symbol {symbol!r} is no token of the model{known}") from error
    if len(tokens) != 1:
        raise InputError(f"symbol {symbol!r} is {len(tokens)} tokens of the model; a symbol is one")
    return int(tokens[0])


def alternatives(model: ConditionalModel, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the tokens that a sequence's tokens may be changed to where nobody says which.

    The whole alphabet of a law or a `Denoiser`. Of another text model the 20 standard residues, if each is a token and
    the sequence holds no other. Otherwise the distinct tokens of the sequence.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> law = MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> alternatives(law, law.encode(["GATT"])[0])
    array([0, 1, 2, 3])
    """
    if isinstance(model, Law):
        return np.arange(len(model.alphabet))
    if isinstance(model, Denoiser):
        return np.arange(len(model.config.alphabet))
    if isinstance(model, TextModel):
        try:
            residues = symbol_tokens(model, RESIDUES)
        except InputError:
            residues = tokens[:0]
        if np.isin(tokens, residues).all():
            return residues
    return np.unique(tokens)


def symbol_names(model: ConditionalModel, tokens: NDArray[np.int64]) -> list[str]:
    """Return what each token is called: its symbol, or its number where the model has no alphabet."""
    if isinstance(model, Law):
        return [model.alphabet[token] for token in tokens]
    if isinstance(model, TextModel):
        return [model.decode(tokens[index : index + 1]) for index in range(len(tokens))]
    return [str(token) for token in tokens]
