"""Exact laws in study files: the ``[law]`` table."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from estimators import InputError
from infodis_stats.io.files import read_text
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, Law, MarkovChain, TableLaw
from infodis_stats.studies.design.toml import Count, Numbers, Seed, Text, TomlTable, validated
from infodis_stats.studies.design.toml_text import toml_value

__all__ = [
    "CodeSpec",
    "HiddenMarkovSpec",
    "IndependentSpec",
    "LawSpec",
    "MarkovChainSpec",
    "TableSpec",
    "law_in_words",
    "law_table",
    "read_law",
    "read_law_table",
]


Alphabet = Annotated[Text, Field(description="the symbols, each of them once")]
LawSeed = Annotated[Seed, Field(description="seed from which the law is drawn")]
Concentration = Annotated[
    float,
    Field(gt=0, description="concentration of the Dirichlet distributions that the probabilities are drawn from"),
]


class TableSpec(TomlTable):
    """A `TableLaw`: drawn from a seed, or given by ``sequences`` and ``probabilities``."""

    kind: Annotated[Literal["table"], Field(description="finitely many sequences, each with its probability")]
    alphabet: Alphabet = "ACGT"
    count: Annotated[Count, Field(description="number of sequences, drawn uniformly without replacement")] = 128
    length: Annotated[Count, Field(description="symbols per sequence")] = 8
    seed: LawSeed = 0
    sequences: Annotated[
        tuple[str, ...] | None, Field(strict=False, description="instead of count and length: the sequences")
    ] = None
    probabilities: Annotated[Numbers | None, Field(description="with sequences: their probabilities")] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "TableSpec":
        if (self.sequences is None) != (self.probabilities is None):
            raise ValueError("sequences and probabilities go together")
        return self

    def build(self) -> Law:
        """Make the law."""
        if self.sequences is not None and self.probabilities is not None:
            return TableLaw(self.sequences, self.probabilities, self.alphabet)
        return TableLaw.random(count=self.count, length=self.length, alphabet=self.alphabet, seed=self.seed)


class MarkovChainSpec(TomlTable):
    """A `MarkovChain`: drawn from a seed, or given by ``initial`` and ``transition``."""

    kind: Annotated[
        Literal["markov-chain"], Field(description="a Markov chain: each symbol depends on some symbols before it")
    ]
    alphabet: Alphabet = "ACGT"
    order: Annotated[int, Field(ge=0, le=8, description="number of preceding symbols that each symbol depends on")] = 4
    seed: LawSeed = 0
    concentration: Concentration = 1.0
    initial: Annotated[Numbers | None, Field(description="given law: probabilities of the first symbols")] = None
    transition: Annotated[
        Numbers | None, Field(description="given law: probabilities of a symbol after those before it, oldest first")
    ] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> "MarkovChainSpec":
        if (self.initial is None) != (self.transition is None):
            raise ValueError("initial and transition go together")
        return self

    def build(self) -> Law:
        """Make the law."""
        if self.initial is not None and self.transition is not None:
            return MarkovChain(self.initial, self.transition, self.alphabet)
        return MarkovChain.random(
            order=self.order, alphabet=self.alphabet, seed=self.seed, concentration=self.concentration
        )


class HiddenMarkovSpec(TomlTable):
    """A `HiddenMarkov` law: drawn from a seed, or given by ``initial``, ``transition`` and ``emission``."""

    kind: Annotated[Literal["hidden-markov"], Field(description="symbols emitted by a hidden chain of states")]
    alphabet: Alphabet = "ACGT"
    states: Annotated[int, Field(ge=2, description="number of hidden states")] = 4
    seed: LawSeed = 0
    concentration: Concentration = 1.0
    stay: Annotated[
        float, Field(ge=0, lt=1, description="probability that the state stays the same at the next symbol")
    ] = 0.95
    initial: Annotated[Numbers | None, Field(description="given law: probabilities of the first state")] = None
    transition: Annotated[Numbers | None, Field(description="given law: probabilities of a state after another")] = None
    emission: Annotated[Numbers | None, Field(description="given law: probabilities of the symbols in a state")] = None

    @model_validator(mode="after")
    def _all_or_none(self) -> "HiddenMarkovSpec":
        if len({array is None for array in (self.initial, self.transition, self.emission)}) > 1:
            raise ValueError("initial, transition and emission go together")
        return self

    def build(self) -> Law:
        """Make the law."""
        if self.initial is not None and self.transition is not None and self.emission is not None:
            return HiddenMarkov(self.initial, self.transition, self.emission, self.alphabet)
        return HiddenMarkov.random(
            states=self.states,
            alphabet=self.alphabet,
            seed=self.seed,
            concentration=self.concentration,
            stay=self.stay,
        )


class CodeSpec(TomlTable):
    """A `CodeLaw`."""

    kind: Annotated[Literal["code"], Field(description="uniform on words in which symbols determine one another")]
    alphabet: Alphabet = "AB"
    length: Annotated[Count, Field(description="symbols in a word, a multiple of group")]
    group: Annotated[Count, Field(description="symbols that determine one another; groups are interleaved")]
    rule: Annotated[
        Literal["checksum", "copies"], Field(description="the symbols of a group sum to 0, or they are equal")
    ] = "checksum"

    def build(self) -> Law:
        """Make the law."""
        return CodeLaw(self.length, self.group, self.rule, self.alphabet)


class IndependentSpec(TomlTable):
    """An `IndependentLaw`: drawn from a seed, or given by ``probabilities``."""

    kind: Annotated[Literal["independent"], Field(description="independent symbols")]
    alphabet: Alphabet = "AB"
    length: Annotated[Count | None, Field(description="symbols per sequence; or give probabilities")] = None
    spread: Annotated[
        float, Field(ge=0, description="symbols cost exp(spread * z) nats, z standard normal; 0: all cost the same")
    ] = 2.0
    seed: LawSeed = 0
    probabilities: Annotated[
        Numbers | None, Field(description="given law: probabilities of the symbols at each position")
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> "IndependentSpec":
        if (self.length is None) == (self.probabilities is None):
            raise ValueError("give one of length and probabilities")
        return self

    def build(self) -> Law:
        """Make the law."""
        if self.length is None:
            assert self.probabilities is not None
            return IndependentLaw(self.probabilities, self.alphabet)
        return IndependentLaw.random(self.length, self.alphabet, spread=self.spread, seed=self.seed)


AnyLaw = TableSpec | MarkovChainSpec | HiddenMarkovSpec | CodeSpec | IndependentSpec


def _built(spec: AnyLaw) -> AnyLaw:
    spec.build()  # the law itself checks its alphabet, its sizes and its probabilities
    return spec


LawSpec = Annotated[AnyLaw, Field(discriminator="kind"), AfterValidator(_built)]


DRAWN = ("count", "length", "order", "states", "spread", "seed", "concentration", "stay")
"""Keys from which a law is drawn."""


def law_in_words(spec: LawSpec) -> str:
    """Return what a law is, its defaults included; of a given one, by which keys.

    Examples
    --------
    >>> law_in_words(HiddenMarkovSpec(kind="hidden-markov", seed=5))
    'kind = "hidden-markov", alphabet = "ACGT", states = 4, seed = 5, concentration = 1.0, stay = 0.95'
    """
    keys = {key: value for key, value in spec.model_dump(mode="json").items() if value is not None}
    given = [key for key, value in keys.items() if isinstance(value, list)]
    drawn = () if not given else DRAWN
    words = [f"{key} = {toml_value(value)}" for key, value in keys.items() if key not in (*given, *drawn)]
    return ", ".join([*words, *([f"given by {' and '.join(given)}"] if given else [])])


def law_table(law: Law) -> dict[str, Any]:
    """Return the ``[law]`` table of a law.

    Raises
    ------
    InputError
        If it is of a type that study files cannot hold.
    """
    keys: dict[str, Any]
    if isinstance(law, TableLaw):
        sequences = law.decode(law.sequences)
        keys = {"kind": "table", "sequences": sequences, "probabilities": law.probabilities.tolist()}
    elif isinstance(law, MarkovChain):
        initial, transition = law.initial, law.transition
        if law.order == 0:  # a number is no list: write the same law as one of order 1
            initial, transition = transition, np.tile(transition, (len(law.alphabet), 1))
        keys = {"kind": "markov-chain", "initial": initial.tolist(), "transition": transition.tolist()}
    elif isinstance(law, HiddenMarkov):
        arrays = {"initial": law.initial, "transition": law.transition, "emission": law.emission}
        keys = {"kind": "hidden-markov", **{name: array.tolist() for name, array in arrays.items()}}
    elif isinstance(law, CodeLaw):
        keys = {"kind": "code", "length": law.length, "group": law.group, "rule": law.rule}
    elif isinstance(law, IndependentLaw):
        keys = {"kind": "independent", "probabilities": law.probabilities.tolist()}
    else:
        raise InputError(f"a study cannot hold a law of the type {type(law).__name__}: give it to run_study as model=")
    return {**keys, "alphabet": law.alphabet}


class _LawFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    law: LawSpec


def read_law(path: Path | str) -> Law:
    """Read the ``[law]`` table of a TOML file, such as a study file, and make the law."""
    return validated(_LawFile, read_text(path), path).law.build()


def read_law_table(path: Path | str) -> dict[str, Any]:
    """Read the ``[law]`` table of a TOML file, as it is written there."""
    return validated(_LawFile, read_text(path), path).law.model_dump(mode="json", exclude_unset=True)
