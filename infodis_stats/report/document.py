"""A report as a value: a list of sections, rendered to HTML and to Markdown from one description."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from infodis_stats.diagnostics import Diagnosis
from infodis_stats.results.validity import Word

__all__ = [
    "BEST",
    "CHECKS",
    "ENTRIES",
    "MARKS",
    "OVERALL",
    "TIED",
    "Answer",
    "Code",
    "Details",
    "Document",
    "Entries",
    "Entry",
    "Figure",
    "Heading",
    "Note",
    "Points",
    "Section",
    "SideBySide",
    "Table",
    "Verdicts",
    "nonempty",
]

NONE = Diagnosis([])
CHECKS = ("check", "verdict", "reason", "what to do", "measured")
"""Columns of a table of verdicts."""

ENTRIES = ("report", "kind", "verdict", "first finding")
"""Columns of a list of reports."""

IN_THE_BOX = 3  # sentences

BEST, TIED = " ◆", " ◇"
"""What stands behind the best value of a table, and behind those that are not significantly different from it."""

MARKS = "◆ the least variance, ◇ not significantly different from it."

OVERALL = {
    "fine": "No problems found.",
    "caution": "Read this report with care; worst first:",
    "do not use": "Do not use these numbers as likelihoods; worst first:",
}
"""What a report says first, by its overall verdict."""


@dataclass(frozen=True)
class Heading:
    """A heading; depth 2 begins a part of the page, 3 and 4 are below it; links lead to its anchor."""

    text: str
    depth: int = 2
    anchor: str = ""


@dataclass(frozen=True)
class Note:
    """A paragraph on how something was measured or how to read it."""

    text: str


@dataclass(frozen=True)
class Answer:
    """The findings, the most important first: the first three, of one sentence each, stand in a box."""

    sentences: tuple[str, ...]

    @property
    def box(self) -> tuple[str, ...]:
        """The findings in the box."""
        return self.sentences[:IN_THE_BOX]

    @property
    def also(self) -> tuple[str, ...]:
        """The findings below the box."""
        return self.sentences[IN_THE_BOX:]


@dataclass(frozen=True)
class Verdicts:
    """A diagnosis and, in a study that compares estimators, a verdict on each of them.

    Parameters
    ----------
    diagnosis, estimators : Diagnosis
    note : str
        What a word in the verdicts means on this page.
    """

    diagnosis: Diagnosis
    estimators: Diagnosis = NONE
    note: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose cells are text.

    Parameters
    ----------
    frame : DataFrame
    headline : str
        Title under which the command line prints the table; empty: it is not printed.
    exact : float
        The number as which the word "exact" is sorted.
    """

    frame: pd.DataFrame
    headline: str = ""
    exact: float = math.inf


@dataclass(frozen=True)
class Figure:
    """A picture.

    Parameters
    ----------
    name : str
        File name without the suffix.
    title : str
        What it shows, in a few words.
    svg : str
        The SVG element.
    caption : str
    """

    name: str
    title: str
    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Points:
    """A list of sentences, each with an optional term; framed if it is a warning."""

    items: Sequence[tuple[str, str]]
    lead: str = ""
    warning: bool = False


@dataclass(frozen=True)
class Code:
    """A block of text that is shown as it is."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Details:
    """Sections folded under a title."""

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class SideBySide:
    """Columns, each with a heading and a table."""

    columns: Sequence[tuple[Heading, Table]]


@dataclass(frozen=True)
class Entry:
    """A report in a list of reports; ``target`` is its address, relative to the list."""

    title: str
    target: str
    kind: str
    verdict: Word | None
    finding: str


@dataclass(frozen=True)
class Entries:
    """A list of reports, with links to them."""

    entries: Sequence[Entry]


Section = Heading | Note | Answer | Verdicts | Table | Figure | Points | Code | Details | SideBySide | Entries


@dataclass(frozen=True, eq=False)
class Document:
    """A report before it is rendered.

    Parameters
    ----------
    title : str
    subtitle : str
        What was measured, in one line.
    sections : sequence of Section
    tables : mapping of str to DataFrame
        Tables that are written as CSV, in full precision.
    kind : str
        What kind of report it is, for a list of reports.
    cell : str
        What a cell is on this page, in a sentence; empty if the page has none.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    kind: str = ""
    cell: str = ""

    @property
    def answer(self) -> list[str]:
        """The findings."""
        parts = [section.sentences for section in _walk(self.sections) if isinstance(section, Answer)]
        return [sentence for part in parts for sentence in part]

    @property
    def verdict(self) -> Word | None:
        """The overall verdict, if the report has one."""
        return next((section.diagnosis.verdict for section in self.sections if isinstance(section, Verdicts)), None)

    @property
    def headlines(self) -> dict[str, pd.DataFrame]:
        """The tables that the command line prints, by their titles."""
        tables = [section for section in _walk(self.sections) if isinstance(section, Table)]
        return {table.headline: table.frame for table in tables if table.headline}

    @property
    def figures(self) -> dict[str, str]:
        """The pictures as SVG elements, by their names."""
        return {section.name: section.svg for section in _walk(self.sections) if isinstance(section, Figure)}


def nonempty(sections: Sequence[Section]) -> list[Section]:
    """Return the sections without empty tables and lists, and without headings that have nothing below them.

    Examples
    --------
    >>> nonempty([Heading("A"), Heading("B", 3), Table(pd.DataFrame()), Heading("C"), Note("text")])
    [Heading(text='C', depth=2, anchor=''), Note(text='text')]
    """
    kept: list[Section] = []
    for section in reversed(sections):
        following = kept[-1] if kept else Heading("the end", 1)
        ends = isinstance(following, Heading) and isinstance(section, Heading) and following.depth <= section.depth
        if not ends and (filled := _filled(section)) is not None:
            kept.append(filled)
    return kept[::-1]


def _filled(section: Section) -> Section | None:
    """Return a section without what is empty in it; nothing if all of it is."""
    match section:
        case Details(_, sections):
            inner = nonempty(sections)
            return replace(section, sections=inner) if inner else None
        case SideBySide(columns):
            filled = [(heading, table) for heading, table in columns if len(table.frame)]
            return SideBySide(filled) if filled else None
        case Table(frame):
            return section if len(frame) else None
        case Answer(content) | Points(content) | Entries(content):
            return section if content else None
    return section


def _walk(sections: Sequence[Section]) -> Iterator[Section]:
    for section in sections:
        yield section
        if isinstance(section, Details):
            yield from _walk(section.sections)
