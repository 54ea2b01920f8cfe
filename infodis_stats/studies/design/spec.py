"""Keys that study files of every kind share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.toml import Name, Seed, TomlTable

__all__ = ["StudySpec", "check_distinct"]


class StudySpec(TomlTable, ABC):
    """A study: a title, the seed from which all streams derive, and what it scores."""

    title: Annotated[Name, Field(description="title of the report")]
    seed: Annotated[Seed, Field(description="seed from which all random streams derive")]

    @abstractmethod
    def scenarios(self) -> Sequence[Scenario]:
        """Return the law and the network of each subject."""


def check_distinct(named: Mapping[str, Sequence[object]]) -> None:
    """Refuse a list in which a value occurs twice; raises ValueError that names the list."""
    for name, values in named.items():
        if len(set(values)) < len(values):
            raise ValueError(f"{name} must differ from one another")
