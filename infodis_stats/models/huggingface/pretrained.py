"""What all pretrained text networks have: a tokenizer, a description and a fingerprint."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from estimators import InputError

__all__ = ["PretrainedNetwork"]


class PretrainedNetwork(ABC):
    """A network with its tokenizer, its configuration and its calling conventions (abstract base class).

    Attributes
    ----------
    network : Module
    tokenizer : transformers tokenizer or None
        Required by `encode` and `decode`.
    config : mapping
        Description of the network, as part of the fingerprint.
    name, revision : str
        Name in tables, and commit of a model from the hub; not part of the fingerprint.
    """

    network: nn.Module
    tokenizer: Any
    config: Mapping[str, Any]
    name: str
    revision: str
    _hashed: tuple[list[tuple[int, int]], str] | None = None

    @property
    @abstractmethod
    def kind(self) -> str:
        """Name of its family."""

    @abstractmethod
    def conventions(self) -> dict[str, Any]:
        """Return the choices other than the weights that affect the likelihood, as results record them."""

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,), without special tokens.

        Raises
        ------
        InputError
            If there is no tokenizer, or it does not know a part of the text.
        """
        tokens = self._tokenizer().encode(text, add_special_tokens=False, verbose=False)
        unknown = self._tokenizer().unk_token
        # A text may name the unknown token itself; byte-level tokenizers make it of an ordinary special token.
        named = 0 if unknown is None else text.count(unknown)
        if unknown is not None and tokens.count(self._tokenizer().unk_token_id) > named:
            position = tokens.index(self._tokenizer().unk_token_id)
            which = f"token {position} would be" if not named else f"more tokens than the {named} named would be"
            raise InputError(f"the tokenizer does not know a part of the text: {which} {unknown}")
        return np.array(tokens, dtype=np.int64)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Convert tokens (length,) to text; `InputError` if there is no tokenizer."""
        text: str = self._tokenizer().decode(tokens.tolist(), clean_up_tokenization_spaces=False)
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.describe()}>"

    def _repr_html_(self) -> str:
        from infodis_stats.notebook import model_facts  # noqa: PLC0415  only notebooks need it

        small = sum(weights.numel() for weights in self.network.parameters()) < 5e8
        sizes = {"vocabulary": self.vocabulary, "longest": f"{self.longest} tokens"}  # type: ignore[attr-defined]  # of a subclass
        return model_facts(self, hashed=small, **sizes, **self.conventions())

    def describe(self) -> str:
        """Return a short description: family, name and number of parameters."""
        size = sum(weights.numel() for weights in self.network.parameters())
        return " ".join([self.kind, *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights, the configuration and the calling convention, in hexadecimal."""
        weights = self.network.state_dict()
        state = [(tensor.data_ptr(), tensor._version) for tensor in weights.values()]
        if self._hashed is None or self._hashed[0] != state:  # hashing takes 1 s per GB
            self._hashed = state, self._hash(weights)
        return self._hashed[1]

    def _hash(self, weights: Mapping[str, Any]) -> str:
        made_of = [self.conventions(), self.config]
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True, default=str).encode())
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _tokenizer(self) -> Any:
        if self.tokenizer is None:
            raise InputError("this model has no tokenizer: specify one with tokenizer= when loading it")
        return self.tokenizer

    def _check_tokenizer(self, vocabulary: int) -> None:
        """Refuse a tokenizer of another vocabulary. Raises `InputError`."""
        if self.tokenizer is None:
            return
        unused = vocabulary - len(self.tokenizer)
        # The output layer is often padded to a round size, for speed.
        if unused < 0 or unused > max(128, vocabulary // 10):
            raise InputError(
                f"the tokenizer has {len(self.tokenizer)} tokens but the network has {vocabulary}: they do not match"
            )
