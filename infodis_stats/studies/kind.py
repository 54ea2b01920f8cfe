"""What a kind of study consists of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from infodis_stats.diagnostics import Verdict
from infodis_stats.report.document import Document
from infodis_stats.studies.design.result import Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.spec import StudySpec
from infodis_stats.studies.view import Study

__all__ = ["StudyKind"]

Spec = TypeVar("Spec", bound=StudySpec)


@dataclass(frozen=True)
class StudyKind(Generic[Spec]):
    """A kind of study: the one value that its folder exports.

    Parameters
    ----------
    name : str
        What a study file calls it: ``kind = "..."``.
    schema : type of StudySpec
        The keys of its study files, and what of them is scored.
    run : callable
        Takes the subjects and the checked study file; yields sections of work and returns the `Result`.
    verdicts : callable
        Checks of a study that was run.
    document : callable
        Its report.
    compares_estimators : bool
        Whether each estimator gets a verdict of its own, from ``cautions`` and ``bias_p`` of the summary.
    """

    name: str
    schema: type[Spec]
    run: Callable[[Sequence[Subject], Spec], Steps]
    verdicts: Callable[[Study], list[Verdict]]
    document: Callable[[Study], Document]
    compares_estimators: bool = False
