"""Encoding of texts in their context: the tokens of the whole, of which those of the context are given."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.models.denoisers import Denoiser, UniformDenoiser
from infodis_stats.models.text_model import TextModel

__all__ = ["Encoded", "conditioned", "conditioned_alternatives", "encoded_alternatives", "encoded_sequence"]

Tokens = NDArray[np.int64]


class Encoded(NamedTuple):
    """The tokens of a text in its context.

    Attributes
    ----------
    tokens : array of int64, shape (length,)
        Of the context and the text.
    given : array of bool, shape (length,)
        True for the context, which is not scored.
    """

    tokens: Tokens
    given: NDArray[np.bool_]


def conditioned(model: TextModel, name: str, prompt: str, text: str, suffix: str = "") -> Encoded:
    """Encode a text in its context, which must fit into the model; see `encoded_alternatives`.

    Raises
    ------
    InputError
        If it does not fit, or as in `encoded_alternatives`.

    Examples
    --------
    >>> from infodis_stats.models import load_model
    >>> conditioned(load_model("austen"), "opening", "It ", "is").given
    array([ True,  True,  True, False, False])
    """
    return conditioned_alternatives(model, name, prompt, [text], suffix)[0]


def conditioned_alternatives(
    model: TextModel, name: str, prompt: str, texts: Sequence[str], suffix: str = ""
) -> list[Encoded]:
    """Encode several texts in one context, each of which must fit into the model; see `encoded_alternatives`."""
    alternatives = encoded_alternatives(model, name, prompt, texts, suffix)
    for tokens, _ in alternatives:
        if len(tokens) > model.longest:
            raise InputError(f"{name!r} has {len(tokens)} tokens, but the model takes at most {model.longest}")
    return alternatives


def encoded_alternatives(
    model: TextModel, name: str, prompt: str, texts: Sequence[str], suffix: str = ""
) -> list[Encoded]:
    """Encode several texts in one context, so that the tokens of each decode to prompt, text and suffix.

    Parameters
    ----------
    model : TextModel
    name : str
        Name of the record in error messages.
    prompt : str
        Context before the texts; may be empty.
    texts : sequence of str
    suffix : str, default ""
        Context after the texts.

    Returns
    -------
    list of Encoded
        One per text. All are given the same tokens.

    Raises
    ------
    InputError
        If a text is empty, the model cannot encode it, or no token of it can be told from its context.

    Notes
    -----
    Where the parts of every text have the same tokens separately as together, as under a model of characters, the
    tokens of the context are given. Elsewhere a token may straddle the end of the prompt, or start with its last space.
    Then the whole is encoded, and given are the first tokens that it shares with the prompt without its trailing
    spaces, and the last ones that it shares with the suffix: a token that straddles belongs to the text. Evaluation
    harnesses do the same, except that they move spaces in any case. Of several texts, all are given what each can be
    given.

    Some tokenizers of proteins need spaces between symbols. If a tokenizer does not know a text without a space, its
    symbols are separated by spaces.

    Examples
    --------
    >>> from infodis_stats.models import load_model
    >>> first, second = encoded_alternatives(load_model("austen"), "opening", "It is ", ["a truth", "so"])
    >>> first.tokens[first.given].tolist() == second.tokens[second.given].tolist()
    True
    """
    if not all(isinstance(part, str) for part in (prompt, *texts, suffix)):
        raise InputError(f"{name!r}: prompt, text and suffix must be strings")
    if not all(texts):
        raise InputError(f"{name!r}: the text to score is empty")
    try:
        encode = _encoder(model, [prompt + text + suffix for text in texts])
        wholes = [encode(prompt + text + suffix) for text in texts]
    except InputError as error:
        hint = _boundary_hint(model, prompt, texts, suffix)
        raise InputError(f"{name!r}: {error}{hint}") from error
    before, after = encode(prompt), encode(suffix)
    apart = [np.concatenate([before, encode(text), after]) for text in texts]
    if not all(np.array_equal(whole, parts) for whole, parts in zip(wholes, apart, strict=True)):
        before = encode(prompt.rstrip())
        before = before[: min(_shared(before, whole) for whole in wholes)]
        after = after[len(after) - min(_shared(after[::-1], whole[::-1]) for whole in wholes) :]
    if any(len(whole) <= len(before) + len(after) for whole in wholes):
        raise InputError(f"{name!r}: no token of the text can be told from its context, so there is nothing to score")
    return [Encoded(whole, _given(len(whole), len(before), len(after))) for whole in wholes]


def encoded_sequence(model: TextModel, text: str) -> Tokens:
    """Encode a sequence; its symbols are separated by spaces if the tokenizer needs that.

    Raises
    ------
    InputError
        If the model does not know a symbol.
    """
    return _encoder(model, [text])(text)


def _encoder(model: TextModel, texts: Sequence[str]) -> Callable[[str], Tokens]:
    """Return how parts of the texts are encoded: as they are, or with spaces between their symbols."""
    for text in texts:
        try:
            model.encode(text)
        except InputError:
            spaced = any(symbol.isspace() for whole in texts for symbol in whole)
            if spaced or isinstance(model, Denoiser | UniformDenoiser):
                raise
            return lambda part: _encoded(model, " ".join(part))
    return lambda part: _encoded(model, part)


def _encoded(model: TextModel, part: str) -> Tokens:
    # Some tokenizers give even the empty text a token.
    return model.encode(part) if part else np.empty(0, dtype=np.int64)


def _boundary_hint(model: TextModel, prompt: str, texts: Sequence[str], suffix: str) -> str:
    """Return advice where the parts can be encoded and the whole cannot; else nothing."""
    try:
        for part in (prompt, *texts, suffix):
            _encoded(model, part)
    except InputError:
        return ""
    return "; prompt and text are encoded together, so a space between words must be in one of them"


def _shared(first: Tokens, second: Tokens) -> int:
    """Return the length of the longest common prefix."""
    shortest = min(len(first), len(second))
    differ = np.flatnonzero(first[:shortest] != second[:shortest])
    return int(differ[0]) if differ.size else shortest


def _given(length: int, before: int, after: int) -> NDArray[np.bool_]:
    position = np.arange(length)
    return (position < before) | (position >= length - after)
