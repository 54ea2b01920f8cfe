"""Studies written in Python, with the keys of a study file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from infodis_stats.laws import Law
from infodis_stats.studies.design.laws import law_table
from infodis_stats.studies.design.toml_text import plain, toml_text
from infodis_stats.studies.study_file import check_study

__all__ = ["Spec"]

LATER = "a model in memory"  # that run_study gets


class Spec:
    """A study written in Python.

    Parameters
    ----------
    **keys
        The keys of a study file, which ``infodis-stats schema`` lists: tables are dictionaries, and lists of tables
        lists of dictionaries. A ``law`` may also be a `Law`. Files are named relative to the current folder.

    Attributes
    ----------
    text : str
        The study file.
    needs_model : bool
        Whether something is scored by neither a law nor a model that the study names.

    Raises
    ------
    InputError
        If keys are unknown, missing or of the wrong type; the message names all of them.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> spec = ids.Spec(
    ...     title="Two estimators",
    ...     seed=1,
    ...     passes=[4],
    ...     replicates=8,
    ...     estimators=["time-free", "uniform-count"],
    ...     reference="time-free",
    ...     law=ids.MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], alphabet="AB"),
    ...     targets=[{"name": "short", "count": 2, "length": 6}],
    ... )
    >>> tree = ids.run_study(spec)
    >>> tree["draws"].sizes["estimator"]
    2
    >>> spec.text.splitlines()[:2]
    ['title = "Two estimators"', 'seed = 1']
    """

    def __init__(self, **keys: Any) -> None:
        data = plain(_laws_as_tables(keys), "Spec")
        self.needs_model: Final = _lacks_model(data)
        check_study(data, where="Spec", folder=Path(), model=LATER if self.needs_model else "")
        self.text: Final = toml_text(data)

    def __repr__(self) -> str:
        return f"Spec of\n{self.text}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def _lacks_model(data: Mapping[str, Any]) -> bool:
    """Return whether something is to be scored by neither a law nor a model that the study names."""
    subjects = data.get("subjects", [data])
    tables = subjects if isinstance(subjects, list) else []
    return any(isinstance(table, dict) and not {"law", "model"} & set(table) for table in tables)


def _laws_as_tables(value: Any) -> Any:
    if isinstance(value, Law):
        return law_table(value)
    if isinstance(value, Mapping):
        return {key: _laws_as_tables(item) for key, item in value.items()}
    return [_laws_as_tables(item) for item in value] if isinstance(value, list | tuple) else value
