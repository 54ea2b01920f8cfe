"""Exact laws in study files: the ``[law]`` table."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infodis_stats.io.files import read_text
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, Law, MarkovChain, TableLaw
from infodis_stats.studies.design.toml import Count, Numbers, Seed, Text, TomlTable, validated

__all__ = ["CodeSpec", "HiddenMarkovSpec", "IndependentSpec", "LawSpec", "MarkovChainSpec", "TableSpec", "read_law"]


class TableSpec(TomlTable):
    """A `TableLaw`: drawn from a seed, or given by ``sequences`` and ``probabilities``."""

    kind: Literal["table"]
    alphabet: Text = "ACGT"
    count: Count = 128
    length: Count = 8
    seed: Seed = 0
    sequences: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    probabilities: Numbers | None = None

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

    kind: Literal["markov-chain"]
    alphabet: Text = "ACGT"
    order: Annotated[int, Field(ge=0, le=8)] = 4
    seed: Seed = 0
    concentration: Annotated[float, Field(gt=0)] = 1.0
    initial: Numbers | None = None
    transition: Numbers | None = None

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

    kind: Literal["hidden-markov"]
    alphabet: Text = "ACGT"
    states: Annotated[int, Field(ge=2)] = 4
    seed: Seed = 0
    concentration: Annotated[float, Field(gt=0)] = 1.0
    stay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    initial: Numbers | None = None
    transition: Numbers | None = None
    emission: Numbers | None = None

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

    kind: Literal["code"]
    alphabet: Text = "AB"
    length: Count
    group: Count
    rule: Literal["checksum", "copies"] = "checksum"

    def build(self) -> Law:
        """Make the law."""
        return CodeLaw(self.length, self.group, self.rule, self.alphabet)


class IndependentSpec(TomlTable):
    """An `IndependentLaw`: drawn from a seed, or given by ``probabilities``."""

    kind: Literal["independent"]
    alphabet: Text = "AB"
    length: Count | None = None
    spread: Annotated[float, Field(ge=0)] = 2.0
    seed: Seed = 0
    probabilities: Numbers | None = None

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


LawSpec = Annotated[
    TableSpec | MarkovChainSpec | HiddenMarkovSpec | CodeSpec | IndependentSpec, Field(discriminator="kind")
]


class _LawFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    law: LawSpec


def read_law(path: Path | str) -> Law:
    """Read the ``[law]`` table of a TOML file, such as a study file, and make the law."""
    return validated(_LawFile, read_text(path), path).law.build()
