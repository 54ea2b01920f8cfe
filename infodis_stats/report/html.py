"""Documents as self-contained pages of HTML: text from data is escaped, and no script runs but the one for sorting."""

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib import resources
from itertools import count
from urllib.parse import quote

from markupsafe import Markup

from infodis_stats.diagnostics import Verdict
from infodis_stats.report.document import (
    BEST,
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

__all__ = ["render_html"]

PAGE = Markup("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="infodis-stats">
{facts}
<title>{title}</title>
<style>
{style}</style>
</head>
<body{layout}>
<h1>{title}</h1>
<p class="sub">{subtitle}</p>
{body}
<script>{script}</script>
</body>
</html>
""")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{}'"
TEXT_COLUMNS = {  # left-aligned
    "blocks",
    "caution",
    "cautions",
    "estimator",
    "group",
    "noise",
    "quantity",
    "score",
    "subject",
    "task",
    "text",
    "value",
    "verdict",
}
PROSE_COLUMNS = ("what it is", "who reports it", "repository", "purpose", "may be compared with")  # on several lines
COLOURED = ("better", "worse")
FEWEST_HEADINGS = 4  # of a page with a table of contents


def render_html(document: Document) -> str:
    """Return a document as a page that contains its figures.

    Its ``meta`` elements name the kind of report, the overall verdict, and the first finding (``description``).

    Examples
    --------
    >>> page = render_html(Document("A <b>title", "", [Note("1 < 2")]))
    >>> "<h1>A &lt;b&gt;title</h1>" in page, '<p class="note">1 &lt; 2</p>' in page
    (True, True)
    """
    style, script = (_resource(name) for name in ("style.css", "sort.js"))
    sections = _anchored(nonempty(document.sections), count(1))
    contents = _contents(sections)
    first = next((place for place, section in enumerate(sections) if isinstance(section, Heading)), 0)
    body = _lines([_sections(sections[:first]), contents, _sections(sections[first:])])
    return str(
        PAGE.format(
            policy=POLICY.format(b64encode(sha256(script.encode()).digest()).decode()),
            facts=_facts(document),
            title=document.title,
            style=style,
            layout=Markup(' class="beside"') if contents else "",
            subtitle=document.subtitle,
            body=body,
            script=script,
        )
    )


def _resource(name: str) -> Markup:
    return Markup(resources.files("infodis_stats.report").joinpath(name).read_text(encoding="utf-8"))


def _facts(document: Document) -> Markup:
    """Return what a list of reports says of this one."""
    facts = {"kind": document.kind, "verdict": document.verdict or "", "description": "".join(document.answer[:1])}
    return _lines(Markup('<meta name="{}" content="{}">').format(name, fact) for name, fact in facts.items() if fact)


def _anchored(sections: Iterable[Section], numbers: Iterable[int]) -> list[Section]:
    """Give every heading an anchor of its own: a number and its words."""
    numbers, named = iter(numbers), list[Section]()
    for section in sections:
        match section:
            case Heading(text):
                words = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")
                named.append(replace(section, anchor="-".join(["part", str(next(numbers)), *filter(None, [words])])))
            case Details(_, inner):
                named.append(replace(section, sections=_anchored(inner, numbers)))
            case SideBySide(columns):
                heads = _anchored([heading for heading, _ in columns], numbers)
                tables = (table for _, table in columns)
                named.append(SideBySide([(h, t) for h, t in zip(heads, tables, strict=True) if isinstance(h, Heading)]))
            case _:
                named.append(section)
    return named


def _contents(sections: Sequence[Section]) -> Markup:
    parts = [section for section in sections if isinstance(section, Heading) and section.depth == 2]
    if len(parts) < FEWEST_HEADINGS:
        return Markup()
    links = _lines(Markup('<li><a href="#{}">{}</a></li>').format(part.anchor, part.text) for part in parts)
    return Markup('<nav class="contents" aria-label="Contents">\n<p>Contents</p>\n<ul>\n{}\n</ul>\n</nav>').format(
        links
    )


def _lines(parts: Iterable[Markup]) -> Markup:
    return Markup("\n").join(part for part in parts if part)


def _sections(sections: Iterable[Section]) -> Markup:
    return _lines(_section(section) for section in sections)


def _section(section: Section) -> Markup:  # noqa: PLR0911  one for each type
    match section:
        case Heading(text, depth, anchor):
            return Markup('<h{depth} id="{anchor}">{text}</h{depth}>').format(depth=depth, anchor=anchor, text=text)
        case Note(text):
            return Markup('<p class="note">{}</p>').format(text)
        case Answer():
            return _answer(section)
        case Verdicts():
            return _verdicts(section)
        case Table():
            return _table(section)
        case Entries(entries):
            return _stacked(ENTRIES, map(_entry, entries))
        case Figure(_, _, svg, caption):
            words = Markup("\n<figcaption>{}</figcaption>").format(caption) if caption else ""
            return Markup('<figure>\n<div class="scroll card">{}</div>{}\n</figure>').format(Markup(svg), words)
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


def _answer(section: Answer) -> Markup:
    box = _lines(Markup("<p>{}</p>").format(sentence) for sentence in section.box)
    also = _lines(Markup("<li>{}</li>").format(sentence) for sentence in section.also)
    return _lines(
        [
            Markup('<section class="answer">\n{}\n</section>').format(box),
            Markup('<p class="also">Also</p>\n<ul>\n{}\n</ul>').format(also) if also else Markup(),
        ]
    )


def _points(items: Iterable[tuple[str, str]], lead: str, *, warning: bool) -> Markup:
    rows = [
        Markup("<li><strong>{}</strong>: {}</li>").format(term, text) if term else Markup("<li>{}</li>").format(text)
        for term, text in items
    ]
    head = Markup("<p>{}</p>\n").format(lead) if lead else ""
    block = Markup("{}<ul>\n{}\n</ul>").format(head, _lines(rows))
    return Markup('<div class="warning">\n{}\n</div>').format(block) if warning else block


def _table(section: Table) -> Markup:
    frame = section.frame
    names = frame.columns.tolist()
    head = Markup().join(Markup('<th scope="col"{}>{}</th>').format(_class(_alignment(name)), name) for name in names)
    rows = _lines(
        Markup("<tr>{}</tr>").format(Markup().join(map(_cell, names, row)))
        for row in frame.itertuples(index=False, name=None)
    )
    exact = Markup(' data-exact="{:g}"').format(section.exact) if math.isfinite(section.exact) else ""
    table = Markup("<table{}{}>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>").format(
        _class("sortable" if len(frame) > 1 else ""), exact, head, rows
    )
    return Markup('<div class="scroll" tabindex="0">{}</div>').format(table)


def _class(name: str) -> Markup:
    return Markup(' class="{}"').format(name) if name else Markup()


def _alignment(name: str) -> str:
    return "text" if name in TEXT_COLUMNS else "text prose" if name in PROSE_COLUMNS else ""


def _cell(name: str, text: str) -> Markup:
    marked = "best" if text.endswith(BEST) else "star" if text.endswith("*") else ""
    kind = text if text in COLOURED else _alignment(name) or marked
    return Markup("<td{}>{}</td>").format(_class(kind), text)


def _word(word: str) -> Markup:
    return Markup('<span class="word {}">{}</span>').format(word.replace(" ", "-"), word)


def _verdicts(section: Verdicts) -> Markup:
    diagnosis = section.diagnosis
    checks = _stacked(CHECKS, map(_check, diagnosis.verdicts)) if diagnosis.verdicts else Markup()
    estimators = _lines(
        Markup("<tr><td>{}</td><td>{}</td></tr>").format(_word(word), ", ".join(map(_named, verdicts)))
        for word, verdicts in section.estimators.by_word().items()
    )
    listed = Markup("<p>Estimators</p>\n<table>\n{}\n</table>").format(estimators) if estimators else Markup()
    note = Markup('<p class="note">{}</p>').format(section.note) if section.note else Markup()
    return Markup(
        '<section class="verdict {kind}">\n<p><strong>{word}</strong> {words}</p>\n{parts}\n</section>'
    ).format(
        kind=diagnosis.verdict.replace(" ", "-"),
        word=diagnosis.verdict,
        words=OVERALL[diagnosis.verdict],
        parts=_lines([checks, listed, note]),
    )


def _stacked(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table of prose, whose rows become lists on a narrow screen."""
    head = Markup().join(Markup('<th scope="col">{}</th>').format(name) for name in names)
    body = _lines(
        Markup("<tr>{}</tr>").format(
            Markup().join(
                Markup('<td data-name="{}">{}</td>').format(name, text) if text else Markup("<td></td>")
                for name, text in zip(names, row, strict=True)
            )
        )
        for row in rows
    )
    return Markup('<table class="stacked">\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody>\n</table>').format(
        head, body
    )


def _check(verdict: Verdict) -> Sequence[str]:
    name = verdict.check.replace("-", " ")
    return name, _word(verdict.verdict), verdict.reason, verdict.advice, verdict.measured


def _entry(entry: Entry) -> Sequence[str]:
    link = Markup('<a href="{}">{}</a>').format(quote(entry.target), entry.title)
    return link, entry.kind, _word(entry.verdict) if entry.verdict else "", entry.finding


def _named(verdict: Verdict) -> str:
    return verdict.check if verdict.verdict == "fine" else f"{verdict.check} ({verdict.reason})"
