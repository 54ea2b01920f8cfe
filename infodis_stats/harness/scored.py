"""Documents that were scored, and the error of those that could not be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.estimates.questions import Finish
from infodis_stats.harness.requests import Document

__all__ = ["FailedQuestionsError", "Scored"]

SHOWN = 3  # failed questions in a message


@dataclass(frozen=True, eq=False)
class Scored:
    """A document with the results of its questions.

    Attributes
    ----------
    document : Document
    finishes : tuple of Finish
        One per question; empty if the document cannot be asked.
    """

    document: Document
    finishes: tuple[Finish, ...]

    @property
    def problem(self) -> str:
        """Why there is no result; empty if there is one."""
        failed = next((finish.problem for finish in self.finishes if finish.problem), "")
        return self.document.problem or (f"{self.document.name}: {failed}" if failed else "")

    @property
    def log_likelihoods(self) -> NDArray[np.float64]:
        """Of each request, nats: shape (request,)."""
        values: NDArray[np.float64] = -self.document.parts @ np.concatenate([finish.nll for finish in self.finishes])
        return values


class FailedQuestionsError(InputError):
    """Questions that could not be scored, after all others have been.

    Attributes
    ----------
    problems : dict of (str, int) to str
        The reason, by task and the harness' number of the document.
    count : int
        Questions in all.
    """

    def __init__(self, problems: Mapping[tuple[str, int], str], count: int) -> None:
        self.problems, self.count = dict(problems), count
        named = "; ".join(list(self.problems.values())[:SHOWN])
        more = f"; and {len(self.problems) - SHOWN} more" if len(self.problems) > SHOWN else ""
        super().__init__(
            f"{len(self.problems)} of {count} questions could not be scored: {named}{more}; the others are kept: call "
            "simple_evaluate again with this model and samples={task: [numbers of the documents without these]}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems, self.count)
