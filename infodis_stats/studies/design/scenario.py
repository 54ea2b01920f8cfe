"""Scenarios: an exact law, a network, or a network on the sequences of a law."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError, Model
from infodis_stats.laws import Law
from infodis_stats.models import TextModel, check_text_model, load_model
from infodis_stats.studies.design.laws import LawSpec
from infodis_stats.studies.design.models import ModelSpec

__all__ = ["Scenario", "Subject", "load_network", "make_subjects"]


class Scenario(NamedTuple):
    """A law, a network, or both, as given in a study file."""

    law: LawSpec | None
    model: ModelSpec | None


@dataclass(frozen=True)
class Subject:
    """The model that is scored, and the law that its sequences come from; one of them may be missing.

    Attributes
    ----------
    law : Law or None
        Source of the sequences; scored itself if there is no network.
    network : Model or None
    """

    law: Law | None
    network: Model | None

    @property
    def model(self) -> Model:
        """The model that is scored."""
        model = self.law if self.network is None else self.network
        assert model is not None
        return model

    @property
    def exact(self) -> bool:
        """Whether likelihoods are known without sampling."""
        return self.network is None

    @property
    def reader(self) -> TextModel | None:
        """The network, which encodes texts; None: the symbols of the law are the tokens.

        Raises
        ------
        InputError
            If there is no law, and the network cannot encode texts.
        """
        if self.network is None or isinstance(self.network, TextModel):
            return self.network
        if self.law is None:
            return check_text_model(self.network, type(self.network).__qualname__)
        return None

    def rows(self, symbols: Sequence[NDArray[np.int64]] | NDArray[np.int64]) -> Sequence[NDArray[np.int64]]:
        """Encode sequences of the law as tokens of the model, which are the symbols unless it encodes texts.

        Raises
        ------
        InputError
            If the network does not encode each symbol as one token.
        """
        reader = self.reader
        if reader is None or self.law is None:
            return list(symbols)
        tokens = [reader.encode(text) for row in symbols for text in self.law.decode(row[None])]
        if any(len(row) != len(drawn) for row, drawn in zip(tokens, symbols, strict=True)):
            raise InputError(f"the network does not encode each of the symbols {self.law.alphabet} as one token")
        return tokens


def load_network(
    spec: ModelSpec, device: torch.device | str, *, trust_remote_code: bool = False, allow_import: bool = False
) -> TextModel:
    """Load the network of a study file.

    Raises
    ------
    InputError
        As in `load_model`, or if it is a model of the user's own that lacks a method of a `TextModel`.
    """
    options = spec.model_dump(exclude={"name", "trust_remote_code"}, exclude_none=True)
    model = load_model(
        spec.name, device=device, trust_remote_code=trust_remote_code, allow_import=allow_import, **options
    )
    return check_text_model(model, spec.name)


def make_subjects(
    scenarios: Sequence[Scenario],
    device: torch.device | str,
    *,
    trust_remote_code: bool = False,
    allow_import: bool = False,
    objects: Mapping[str, Model] = MappingProxyType({}),
) -> list[Subject]:
    """Make the subjects of a study; a network that several of them name is loaded once.

    Parameters
    ----------
    objects : mapping of str to Model
        Models that are in memory already, by the names that stand for them.

    Raises
    ------
    InputError
        If the study asks to run code that is not permitted, before anything is loaded; or as in `load_network`.
    """
    names = {scenario.model for scenario in scenarios if scenario.model is not None}
    for name in names:
        if name.trust_remote_code and not trust_remote_code:
            raise InputError(
                f"the study asks to run Python code stored with the weights of {name.name}, which a file cannot permit "
                "by itself: if you trust that code, run the study with trust_remote_code=True"
            )
    networks = {
        name: objects[name.name]
        if name.name in objects
        else load_network(name, device, trust_remote_code=trust_remote_code, allow_import=allow_import)
        for name in names
    }
    return [
        Subject(None if law is None else law.build(), None if model is None else networks[model])
        for law, model in scenarios
    ]
