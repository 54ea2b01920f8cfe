"""Study specifications: what a study file may say, checked before anything runs."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from estimators import Contrast, Coupled, Decoupled, Estimator, InputError, estimator
from infodis_stats.files import read_text
from infodis_stats.oracles import Law, MarkovChain, TableLaw

Spec = TypeVar("Spec", bound=BaseModel)

__all__ = ["LawSpec", "MarkovChainSpec", "PairsSpec", "StudySpec", "TableSpec", "TargetsSpec", "read_law", "read_study"]

Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Numbers = Annotated[tuple[Any, ...], Field(strict=False)]  # nested lists; the law checks them


MOST_SYMBOLS = 10**8  # of a group: a study keeps them all


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TableSpec(_Table):
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


class MarkovChainSpec(_Table):
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


LawSpec = Annotated[TableSpec | MarkovChainSpec, Field(discriminator="kind")]


class TargetsSpec(_Table):
    """A group of targets: drawn from the law, or ``sequences``, or the whole support of a table law."""

    name: Text
    context: Annotated[int, Field(ge=0)] = 0
    count: Count | None = None
    length: Count | None = None
    seed: Seed = 0
    sequences: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | Literal["support"] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "TargetsSpec":
        if (self.sequences is None) == (self.count is None):
            raise ValueError("give either count and length, or sequences")
        if self.count is not None and self.length is None:
            raise ValueError("length is missing beside count")
        if (self.count or 0) * (self.length or 0) > MOST_SYMBOLS:
            raise ValueError(f"count x length needs to be at most {MOST_SYMBOLS}")
        return self


class PairsSpec(_Table):
    """A group of pairs drawn from the law: near copies of one another, or unrelated."""

    name: Text
    count: Count
    length: Count
    context: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 0
    edit: Literal["substitution", "unrelated"]
    substitutions: Count = 1

    @model_validator(mode="after")
    def _bounded(self) -> "PairsSpec":
        if self.count * self.length > MOST_SYMBOLS:
            raise ValueError(f"count x length needs to be at most {MOST_SYMBOLS}")
        return self


class StudySpec(_Table):
    """A grid of targets x estimators x passes x replicates, with its seed."""

    title: Text
    seed: Seed
    passes: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    replicates: Annotated[int, Field(ge=2)]
    estimators: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    reference: str
    law: LawSpec
    contrasts: Annotated[tuple[Literal["coupled", "decoupled"], ...], Field(strict=False)] = ()
    targets: Annotated[tuple[TargetsSpec, ...], Field(strict=False)] = ()
    pairs: Annotated[tuple[PairsSpec, ...], Field(strict=False)] = ()
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    interval_replicates: Annotated[int, Field(ge=2)] = 8

    @model_validator(mode="after")
    def _consistent(self) -> "StudySpec":
        if bool(self.targets) == bool(self.pairs):
            raise ValueError("give either [[targets]] or [[pairs]]")
        if bool(self.pairs) != bool(self.contrasts):
            raise ValueError('contrasts = ["coupled", "decoupled"] and [[pairs]] go together')
        groups = [group.name for group in self.targets or self.pairs]
        for what, values in (("passes", self.passes), ("estimators", self.estimators), ("group names", groups)):
            if len(set(values)) < len(values):
                raise ValueError(f"{what} need to differ from one another")
        names = [sampler.name for sampler in self.samplers()]
        if self.reference not in names:
            raise ValueError(f"reference {self.reference!r} is none of {', '.join(names)}")
        if self.replicates < self.interval_replicates:
            raise ValueError(f"replicates needs to be at least interval_replicates, {self.interval_replicates}")
        return self

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the stochastic objects that the study compares."""
        estimators = [estimator(name) for name in self.estimators]
        if not self.contrasts:
            return estimators
        kinds = {"coupled": Coupled, "decoupled": Decoupled}
        return [kinds[contrast](one) for one in estimators for contrast in self.contrasts]


class _LawFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    law: LawSpec


def read_study(path: Path | str) -> tuple[StudySpec, str]:
    """Read and check a study file.

    Returns
    -------
    spec : StudySpec
    text : str
        The file as it stands, for the record.

    Raises
    ------
    InputError
        If the file cannot be read or a key is unknown, missing or of the wrong type; names the line.
    """
    text = read_text(path)
    return _validated(StudySpec, text, path), text


def read_law(path: Path | str) -> Law:
    """Read the ``[law]`` table of a TOML file (a study file serves) and make the law."""
    return _validated(_LawFile, read_text(path), path).law.build()


def _validated(kind: type[Spec], text: str, path: Path | str) -> Spec:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        # A misspelt key is also a missing one: the spelling is the better news.
        first = min(error.errors(include_url=False), key=lambda one: one["type"] != "extra_forbidden")
        keys = _keys(first["loc"], data)
        raise InputError(f"{path}, line {_line(keys, text)}: {_sentence(first, keys, data)}") from error


def _keys(location: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    # Drop what pydantic adds for unions (tags and type names): only the last key may be absent from the data.
    keys: list[int | str] = []
    for step, key in enumerate(location):
        present = key in data if isinstance(data, dict) else isinstance(data, list) and isinstance(key, int)
        if present:
            keys.append(key)
            data = data[key]
        elif step == len(location) - 1 and isinstance(data, dict):
            keys.append(key)
    return tuple(keys)


def _sentence(error: Any, keys: tuple[int | str, ...], data: Any) -> str:
    place = ".".join(map(str, keys))
    message, value = str(error["msg"]), error["input"]
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(keys[-1]), sorted(_KNOWN), n=1)
        return f"unknown key {place!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if error["type"] == "missing":
        return f"key {place!r} is missing"
    if error["type"] == "value_error":
        return message.removeprefix("Value error, ")
    if error["type"].startswith("union_tag"):
        return f"{place}.kind needs to be 'table' or 'markov-chain'"
    return f"{place}: {message[0].lower()}{message[1:]}, got {value!r}"


def _line(keys: tuple[int | str, ...], text: str) -> int:
    """Line of a key, else of the table that it belongs to, else 1."""
    lines: dict[tuple[int | str, ...], int] = {}
    table: tuple[int | str, ...] = ()
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[\s*([\w.-]+)\s*\]\]", line):
            name = header[1]
            seen[name] = seen.get(name, -1) + 1
            table = (*name.split("."), seen[name])
            lines[table] = number
        elif header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(header[1].split("."))
            lines[table] = number
        elif key := re.match(r"\s*([\w-]+)\s*=", line):
            lines.setdefault((*table, key[1]), number)
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 1)


_TABLES = (StudySpec, TargetsSpec, PairsSpec, TableSpec, MarkovChainSpec)
_KNOWN = {name for table in _TABLES for name in table.model_fields}
