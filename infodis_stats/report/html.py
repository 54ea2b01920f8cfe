"""Documents as self-contained pages of HTML: text from data is escaped."""

from collections.abc import Iterable
from importlib import resources

import pandas as pd
from markupsafe import Markup

from infodis_stats.diagnostics import Verdict
from infodis_stats.report.document import (
    OVERALL,
    Answer,
    Code,
    Details,
    Document,
    Figure,
    Heading,
    Note,
    Points,
    Section,
    SideBySide,
    Table,
    Verdicts,
)

__all__ = ["render_html"]

PAGE = Markup("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
<p class="sub">{subtitle}</p>
{body}
</body>
</html>
""")
TEXT_COLUMNS = ("caution", "text", "quantity", "value")  # left-aligned
PROSE_COLUMNS = ("what it is", "who reports it", "repository", "purpose", "may be compared with")  # on several lines
COLOURED = ("better", "worse")


def render_html(document: Document) -> str:
    """Return a document as a page that contains its figures.

    Examples
    --------
    >>> page = render_html(Document("A <b>title", "", [Note("1 < 2")]))
    >>> "<h1>A &lt;b&gt;title</h1>" in page, '<p class="note">1 &lt; 2</p>' in page
    (True, True)
    """
    style = Markup(resources.files("infodis_stats.report").joinpath("style.css").read_text(encoding="utf-8"))
    body = _sections(document.sections)
    return str(PAGE.format(title=document.title, subtitle=document.subtitle, style=style, body=body))


def _lines(parts: Iterable[Markup]) -> Markup:
    return Markup("\n").join(parts)


def _sections(sections: Iterable[Section]) -> Markup:
    return _lines(_section(section) for section in sections)


def _section(section: Section) -> Markup:  # noqa: PLR0911  one for each type
    match section:
        case Heading(text, depth):
            return Markup("<h{depth}>{text}</h{depth}>").format(depth=depth, text=text)
        case Note(text):
            return Markup('<p class="note">{}</p>').format(text)
        case Answer(sentences):
            paragraphs = _lines(Markup("<p>{}</p>").format(sentence) for sentence in sentences)
            return Markup('<section class="answer">\n{}\n</section>').format(paragraphs)
        case Verdicts():
            return _verdicts(section)
        case Table(frame):
            return Markup('<div class="scroll">{}</div>').format(_table(frame))
        case Figure(_, _, svg, caption):
            words = Markup("\n<figcaption>{}</figcaption>").format(caption) if caption else ""
            return Markup('<figure class="scroll">{}{}</figure>').format(Markup(svg), words)
        case Points(items, lead, warning):
            return _points(items, lead, warning=warning)
        case Code(text):
            return Markup("<pre>{}</pre>").format(text)
        case Details(title, sections):
            return Markup("<details><summary>{}</summary>\n{}\n</details>").format(title, _sections(sections))
        case SideBySide(columns):
            blocks = _lines(
                Markup("<div>{}\n{}</div>").format(_section(heading), _section(table)) for heading, table in columns
            )
            return Markup('<div class="columns">\n{}\n</div>').format(blocks)


def _points(items: Iterable[tuple[str, str]], lead: str, *, warning: bool) -> Markup:
    rows = [
        Markup("<li><strong>{}</strong>: {}</li>").format(term, text) if term else Markup("<li>{}</li>").format(text)
        for term, text in items
    ]
    head = Markup("<p>{}</p>\n").format(lead) if lead else ""
    block = Markup("{}<ul>\n{}\n</ul>").format(head, _lines(rows))
    return Markup('<div class="warning">\n{}\n</div>').format(block) if warning else block


def _table(frame: pd.DataFrame) -> Markup:
    names = frame.columns.tolist()
    head = Markup().join(
        Markup('<th class="{}">{}</th>').format(kind, name)
        if (kind := _alignment(name))
        else Markup("<th>{}</th>").format(name)
        for name in names
    )
    rows = _lines(
        Markup("<tr>{}</tr>").format(Markup().join(map(_cell, names, row)))
        for row in frame.itertuples(index=False, name=None)
    )
    return Markup("<table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>").format(head, rows)


def _alignment(name: str) -> str:
    return "text" if name in TEXT_COLUMNS else "text prose" if name in PROSE_COLUMNS else ""


def _cell(name: str, text: str) -> Markup:
    kind = text if text in COLOURED else _alignment(name) or ("star" if text.endswith("*") else "")
    return Markup('<td class="{}">{}</td>').format(kind, text) if kind else Markup("<td>{}</td>").format(text)


def _word(word: str) -> Markup:
    return Markup('<span class="word {}">{}</span>').format(word.replace(" ", "-"), word)


def _verdicts(section: Verdicts) -> Markup:
    diagnosis = section.diagnosis
    rows = _lines(_check(verdict) for verdict in diagnosis.verdicts)
    head = "".join(f"<th>{name}</th>" for name in ("check", "verdict", "reason", "what to do", "measured"))
    checks = Markup('<table class="checks">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>').format(
        Markup(head), rows
    )
    estimators = _lines(
        Markup("<tr><td>{}</td><td>{}</td></tr>").format(_word(word), ", ".join(map(_named, verdicts)))
        for word, verdicts in section.estimators.by_word().items()
    )
    if estimators:
        estimators = Markup("\n<p>Estimators</p>\n<table>\n{}\n</table>").format(estimators)
    return Markup(
        '<section class="verdict {kind}">\n<p><strong>{word}</strong> {words}</p>\n{checks}{estimators}\n</section>'
    ).format(
        kind=diagnosis.verdict.replace(" ", "-"),
        word=diagnosis.verdict,
        words=OVERALL[diagnosis.verdict],
        checks=checks,
        estimators=estimators,
    )


def _check(verdict: Verdict) -> Markup:
    return Markup("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>").format(
        verdict.check.replace("-", " "), _word(verdict.verdict), verdict.reason, verdict.advice, verdict.measured
    )


def _named(verdict: Verdict) -> str:
    return verdict.check if verdict.verdict == "fine" else f"{verdict.check} ({verdict.reason})"
