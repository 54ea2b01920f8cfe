"""The parts of a kind of study."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from infodis_stats.studies.design.spec import StudySpec

if TYPE_CHECKING:  # a study file is checked, explained and written without these
    from infodis_stats.diagnostics import Verdict
    from infodis_stats.report.document import Document
    from infodis_stats.studies.design.result import Steps
    from infodis_stats.studies.design.scenario import Subject
    from infodis_stats.studies.view import Study

__all__ = ["StudyKind"]

Spec = TypeVar("Spec", bound=StudySpec)


@dataclass(frozen=True)
class StudyKind(Generic[Spec]):
    """A kind of study, exported by its folder.

    Parameters
    ----------
    name : str
        Its name in study files: ``kind = "..."``.
    schema : type of StudySpec
        The keys of its study files.
    run : callable
        Takes the subjects and the checked study file; yields sections and returns the `Result`.
    verdicts : callable
        Returns the verdicts on a finished study.
    document : callable
        Returns the report of a finished study.
    example : mapping
        A study of this kind that runs in seconds, as `tomllib` reads it.
    compares_estimators : bool
        Whether each estimator gets a verdict, from ``cautions`` and ``bias_p`` of the summary.
    """

    name: str
    schema: type[Spec]
    run: "Callable[[Sequence[Subject], Spec], Steps]"
    verdicts: "Callable[[Study], list[Verdict]]"
    document: "Callable[[Study], Document]"
    example: Mapping[str, Any]
    compares_estimators: bool = False
