"""What a study scores: an exact law, a network, or a network on the sequences of a law."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError, Model
from infodis_stats.laws import Law
from infodis_stats.models import TextModel, load_model
from infodis_stats.studies.design.models import ModelSpec

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
    def model(self) -> Model:
        """What is scored."""
        model = self.law if self.network is None else self.network
        assert model is not None
        return model

    @property
    def exact(self) -> bool:
        """Whether likelihoods are known without sampling."""
        return self.network is None

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


def load_network(spec: ModelSpec, device: torch.device | str) -> TextModel:
    """Load the network of a study file."""
    return load_model(
        spec.name,
        device=device,
        family=spec.family,
        tokenizer=spec.tokenizer,
        trust_remote_code=spec.trust_remote_code,
    )
