"""What a study scores: an exact law, a network, or a network on the sequences of a law."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import ConditionalModel, InputError
from infodis_stats.models import TextModel, load_model
from infodis_stats.oracles import Law
from infodis_stats.spec import ModelSpec

__all__ = ["Subject", "load_network"]


@dataclass(frozen=True)
class Subject:
    """The model that is scored, and the law that its sequences come from; one of them may be missing.

    Attributes
    ----------
    law : Law or None
        Where sequences are drawn; scored itself if there is no network.
    network : TextModel or None
    """

    law: Law | None
    network: TextModel | None

    @property
    def model(self) -> ConditionalModel:
        """What is scored."""
        model = self.law if self.network is None else self.network
        assert model is not None
        return model

    @property
    def exact(self) -> bool:
        """Whether likelihoods are known without sampling."""
        return self.network is None

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn a text into tokens of the model, (length,)."""
        if self.network is not None:
            return self.network.encode(text)
        assert self.law is not None
        tokens: NDArray[np.int64] = self.law.encode([text])[0]
        return tokens

    def rows(self, symbols: NDArray[np.int64]) -> NDArray[np.int64]:
        """Turn sequences of the law (sequence, length) into those of the model.

        Raises
        ------
        InputError
            If the network does not read a symbol as one token.
        """
        if self.network is None or self.law is None:
            return symbols
        tokens = [self.network.encode(text) for text in self.law.decode(symbols)]
        if any(len(row) != symbols.shape[1] for row in tokens):
            raise InputError(f"the network does not read the symbols {self.law.alphabet} as one token each")
        return np.stack(tokens)

    def conditioned(self, name: str, prompt: str, text: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Turn a prompt and a text into tokens, and say which of them are given.

        Raises
        ------
        InputError
            If the model does not know a character, or they do not fit into it; names the record.
        """
        try:
            given = self.encode(prompt) if prompt else np.empty(0, dtype=np.int64)
            scored = self.encode(text)
        except InputError as error:
            raise InputError(f"{name!r}: {error}") from error
        tokens = np.concatenate([given, scored])
        if self.network is not None and len(tokens) > self.network.longest:
            raise InputError(f"{name!r} has {len(tokens)} tokens, and the model takes {self.network.longest}")
        return tokens, np.arange(len(tokens)) < len(given)


def load_network(spec: ModelSpec, device: torch.device | str) -> TextModel:
    """Load the network of a study file."""
    return load_model(spec.name, device=device, family=spec.family, trust_remote_code=spec.trust_remote_code)
