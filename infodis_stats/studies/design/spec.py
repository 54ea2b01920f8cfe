"""Keys that study files of every kind share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Protocol

from pydantic import Field

from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.toml import Name, Seed, StudyKeyError, TomlTable, hint

__all__ = ["StudySpec", "check_distinct", "check_names", "check_one_of"]


class StudySpec(TomlTable, ABC):
    """A study: a title, the seed from which all streams derive, and what it scores."""

    title: Annotated[Name, Field(description="title of the report")]
    seed: Annotated[Seed, Field(description="seed from which all random streams derive")]

    @abstractmethod
    def scenarios(self) -> Sequence[Scenario]:
        """Return the law and the network of each subject."""


class Named(Protocol):
    """A table with a name."""

    @property
    def name(self) -> str:
        """The name."""


def check_distinct(lists: Mapping[str, Sequence[object]]) -> None:
    """Refuse a list in which a value occurs twice; raises StudyKeyError at the key of the list."""
    for key, values in lists.items():
        again = _repeated(values)
        if again is not None:
            raise StudyKeyError(f"{key} must differ from one another, but {values[again]!r} occurs twice", key, again)


def check_names(key: str, tables: Sequence[Named]) -> None:
    """Refuse a name that two tables of a list have; raises StudyKeyError at the second."""
    again = _repeated([table.name for table in tables])
    if again is not None:
        name = tables[again].name
        raise StudyKeyError(
            f"the names of {key} must differ from one another, but {name!r} occurs twice", key, again, "name"
        )


def check_one_of(key: str, value: str, names: Sequence[str], word: str) -> None:
    """Refuse a value that is none of some names; raises StudyKeyError at its key."""
    if value not in names:
        raise StudyKeyError(f"{word} {value!r} is none of {', '.join(names)}{hint(value, names)}", key)


def _repeated(values: Sequence[object]) -> int | None:
    """Return the index of the first value that has occurred before."""
    return next((index for index, value in enumerate(values) if value in values[:index]), None)
