"""The symbols of a denoiser: characters, or the byte pairs of a tokenizer."""

from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from estimators import InputError

__all__ = ["BytePairs", "Characters", "Symbols"]

BYTES = 256


class Symbols(Protocol):
    """What the tokens of a model stand for."""

    @property
    def size(self) -> int:
        """Number of symbols."""
        ...

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,)."""
        ...

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert tokens to text."""
        ...


class Characters:
    """Characters: a token is the index of a character in an alphabet.

    Examples
    --------
    >>> Characters("ACGT").encode("GATT")
    array([2, 0, 3, 3])
    """

    def __init__(self, alphabet: str) -> None:
        if not alphabet or len(set(alphabet)) < len(alphabet):
            raise InputError("the alphabet of a denoiser must be non-empty and have distinct characters")
        self.alphabet = alphabet

    @property
    def size(self) -> int:
        """Number of characters."""
        return len(self.alphabet)

    @cached_property
    def _code(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.alphabet)}

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,).

        Raises
        ------
        InputError
            If a character is outside the alphabet; the message gives the character and its position.
        """
        try:
            return np.array([self._code[character] for character in text], dtype=np.int64)
        except KeyError as error:
            character = error.args[0]
            raise InputError(
                f"character {character!r} at position {text.index(character)} is outside the model's alphabet"
            ) from None

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert tokens to text."""
        return "".join(self.alphabet[token] for token in tokens)


class BytePairs:
    """Subwords: byte-level byte-pair encoding, which can encode any text.

    Parameters
    ----------
    definition : str
        A tokenizer of the library ``tokenizers``, as JSON.

    Examples
    --------
    >>> pairs = BytePairs.learned(["so far so good", "so be it"], size=258)
    >>> pairs.size, pairs.decode(pairs.encode("so is it"))
    (258, 'so is it')
    """

    def __init__(self, definition: str) -> None:
        self.definition = definition
        try:
            self._tokenizer = _tokenizer(definition)
        except Exception as error:  # the library raises the base class itself
            raise InputError("the tokenizer of a denoiser must be one of the library tokenizers, as JSON") from error

    @classmethod
    def learned(cls, texts: Iterable[str], size: int) -> "BytePairs":
        """Learn the most frequent pairs of texts.

        Parameters
        ----------
        texts : iterable of str
        size : int
            Number of tokens, above 256: the first 256 are bytes.

        Raises
        ------
        InputError
            If the size is too small, or the texts have not so many pairs.
        """
        if size <= BYTES:
            raise InputError(f"a byte-pair encoding needs more than {BYTES} tokens, which are the bytes, got {size}")
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        found = tokenizer.get_vocab_size()
        if found != size:
            raise InputError(f"the corpus has only enough pairs for {found} tokens, {size} were asked for")
        return cls(tokenizer.to_str())

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,).

        Raises
        ------
        InputError
            If the text has half of a surrogate pair, which no encoding has.
        """
        try:
            return np.array(self._tokenizer.encode(text).ids, dtype=np.int64)
        except TypeError as error:
            raise InputError("the text is not valid Unicode: it has half of a surrogate pair") from error

    def decode(self, tokens: Iterable[int]) -> str:
        """Convert tokens to text; bytes that are no character become the replacement character."""
        return str(self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=False))


@lru_cache(maxsize=8)
def _tokenizer(definition: str) -> Tokenizer:
    return Tokenizer.from_str(definition)
