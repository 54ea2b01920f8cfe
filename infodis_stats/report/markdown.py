"""Documents as Markdown: text from data is escaped."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

import pandas as pd

from infodis_stats.diagnostics import Verdict
from infodis_stats.io.tables import literal, printable
from infodis_stats.report.document import (
    CHECKS,
    ENTRIES,
    OVERALL,
    Answer,
    Code,
    Details,
    Document,
    Entries,
    Entry,
    Figure,
    Heading,
    Note,
    Points,
    Section,
    SideBySide,
    Table,
    Verdicts,
    nonempty,
)

__all__ = ["cells", "code", "escaped", "render_markdown", "table"]


def render_markdown(document: Document) -> str:
    """Return a document as Markdown, which refers to the files in ``figures/``.

    Examples
    --------
    >>> print(render_markdown(Document("A title", "what it is", [Heading("Part"), Note("1 < 2")])))
    # A title
    <BLANKLINE>
    what it is
    <BLANKLINE>
    ## Part
    <BLANKLINE>
    1 &lt; 2
    <BLANKLINE>
    """
    head = [f"# {escaped(document.title)}", escaped(document.subtitle)]
    return "\n\n".join(part for part in [*head, *_sections(nonempty(document.sections))] if part) + "\n"


def _sections(sections: Iterable[Section]) -> list[str]:
    return [part for section in sections for part in _section(section)]


def _section(section: Section) -> list[str]:  # noqa: PLR0911  one for each type
    """Return the blocks of a section."""
    match section:
        case Heading(text, depth):
            return [f"{'#' * depth} {escaped(text)}"]
        case Note(text):
            return [escaped(text)]
        case Answer():
            also = ["Also:", _listed(map(escaped, section.also))] if section.also else []
            return [_listed(map(escaped, section.box)), *also]
        case Entries(entries):
            return ["\n".join([_row(ENTRIES), "|:--" * len(ENTRIES) + "|", *map(_entry, entries)])]
        case Verdicts():
            return _verdicts(section)
        case Table(frame):
            return [table(frame)]
        case Figure(name, title, _, caption):
            return [f"![{literal(title)}](figures/{name}.svg)", escaped(caption)]
        case Points(items, lead):
            terms = [f"**{escaped(term)}**: " if term else "" for term, _ in items]
            return [escaped(lead), _listed(term + escaped(text) for term, (_, text) in zip(terms, items, strict=True))]
        case Code(text, language):
            return [code(text, language)]
        case Details(title, sections):
            return [f"### {escaped(title)}", *_sections(sections)]
        case SideBySide(columns):
            return _sections(section for column in columns for section in column)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _verdicts(section: Verdicts) -> list[str]:
    diagnosis = section.diagnosis
    words = OVERALL[diagnosis.verdict]
    rows = [_row(CHECKS), "|:--" * len(CHECKS) + "|", *map(_check, diagnosis.verdicts)] if diagnosis.verdicts else []
    estimators = [
        f"{word}: {', '.join(map(_named, verdicts))}" for word, verdicts in section.estimators.by_word().items()
    ]
    listed = ["Estimators:", _listed(estimators)] if estimators else []
    return [f"**{diagnosis.verdict}**: {words}", "\n".join(rows), *listed, escaped(section.note)]


def _check(verdict: Verdict) -> str:
    texts = (verdict.check.replace("-", " "), verdict.verdict, verdict.reason, verdict.advice, verdict.measured)
    return _row([literal(text) for text in texts])


def _entry(entry: Entry) -> str:
    link = f"[{literal(entry.title)}]({quote(entry.target)})"
    return _row([link, literal(entry.kind), entry.verdict or "", literal(entry.finding)])


def _named(verdict: Verdict) -> str:
    return escaped(verdict.check if verdict.verdict == "fine" else f"{verdict.check} ({verdict.reason})")


def escaped(text: str) -> str:
    r"""Return text on one line without elements, entities or links; emphasis is kept.

    Examples
    --------
    >>> escaped("<b>[a](b)&lt;")
    '&lt;b>[a]\\(b)&amp;lt;'
    """
    text = re.sub(r"&(?=#?\w+;)", "&amp;", " ".join(text.splitlines()))
    return text.replace("<", "&lt;").replace("](", "]\\(")


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts and headings are escaped as cells of Markdown."""
    texts = frame.map(lambda value: _cell(value) if isinstance(value, str) else value)
    return texts.rename(columns=lambda name: _cell(str(name)))


def table(frame: pd.DataFrame) -> str:
    """Return a table as Markdown."""
    return str(cells(frame).to_markdown(index=False, disable_numparse=True))


def code(text: str, language: str = "") -> str:
    """Return a block of code, with a fence longer than any in it.

    Examples
    --------
    >>> print(code("a", "toml"))
    ```toml
    a
    ```
    """
    fence = "`" * max(3, *(1 + len(run) for run in re.findall("`+", text)), 3)
    return f"{fence}{language}\n{text}\n{fence}"


def _cell(text: str) -> str:
    return escaped(printable(text)).replace("|", "&#124;")  # a backslash before it would itself be escaped by one
