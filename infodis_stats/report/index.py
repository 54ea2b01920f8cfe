"""A list of the reports in a folder, from what their pages say of themselves."""

from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

from estimators import InputError
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.io.files import StoreError
from infodis_stats.report.document import Document, Entries, Entry, Note
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.report.page import write_texts
from infodis_stats.results.validity import Word

__all__ = ["write_index"]

HEAD = 2**16  # characters of a page, which contain its head
OURS = "A list of the reports in this folder."
WORDS: tuple[Word, ...] = get_args(Word)


def write_index(folder: Path | str) -> Path:
    """Write a list of the reports in a folder: title, kind, verdict, first finding and a link.

    Parameters
    ----------
    folder : Path or str
        Its subfolders contain reports, such as ``report.html`` and ``report.md``. Gets ``index.html``, which links to
        the former, and ``README.md``, which links to the latter; each file is replaced whole.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If there is no such folder, or no report in it, or ``index.html`` or ``README.md`` there is not such a list.
    StoreError
        If a file cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> scan = ids.scan_substitutions(law, law.encode(["GAT"])[0], "exhaustive", passes=7)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = ids.write_scans({"codon": scan}, Path(folder, "codon"))
    ...     write_index(folder).name
    'index.html'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    try:
        pages = [page for page in sorted(folder.glob("*/*.html")) if page.is_file()]
        reports = [report for page in pages if (report := _read(page))]
        notes = sorted(page for page in folder.glob("*.md") if page.name != "README.md")
        titles = [(page.name, _title(page)) for page in notes]
        for list_of_ours in (folder / "index.html", folder / "README.md"):
            if list_of_ours.is_file() and OURS not in _text(list_of_ours):
                raise InputError(f"{list_of_ours} is not a list of reports; move it, because a list would replace it")
    except OSError as error:
        raise StoreError(f"{folder}: a page cannot be read: {error}") from error
    if not reports:
        raise InputError(f"no subfolder of {folder} contains the page of a report")
    write_texts(
        {
            "index.html": render_html(_document(folder, reports, titles, ".html")),
            "README.md": render_markdown(_document(folder, reports, titles, ".md")),
        },
        folder,
    )
    return folder / "index.html"


@dataclass(frozen=True)
class _Report:
    """What a page says of itself."""

    page: Path
    title: str
    kind: str
    verdict: Word | None
    finding: str


def _document(folder: Path, reports: list[_Report], notes: list[tuple[str, str]], suffix: str) -> Document:
    count = Counter(report.title for report in reports)
    entries = [
        Entry(
            report.title if count[report.title] == 1 else f"{report.title} ({report.page.parent.name})",
            _beside(report.page, suffix).relative_to(folder).as_posix(),
            report.kind,
            report.verdict,
            report.finding,
        )
        for report in reports
    ]
    others = [Entry(title, name, "notes", None, "") for name, title in notes]
    return Document(
        title=f"Reports in {folder.resolve().name}",
        subtitle=f"{counted(len(reports), 'report')} by infodis-stats",
        sections=[Note(OURS), Entries([*entries, *others])],
        kind="index",
    )


def _beside(page: Path, suffix: str) -> Path:
    """Return the same report in another format, if it is there."""
    other = page.with_suffix(suffix)
    return other if other.is_file() else page


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8", errors="replace")  # a page of somebody else may have any encoding


def _read(page: Path) -> _Report | None:
    """Return what a page says of itself; nothing if it is not a report of ours."""
    with page.open(encoding="utf-8", errors="replace") as file:
        head = _Head(file.read(HEAD))
    facts = head.facts
    if facts.get("generator") != "infodis-stats" or facts.get("kind", "index") == "index":
        return None
    verdict = next((word for word in WORDS if word == facts.get("verdict")), None)
    return _Report(page, head.title.strip(), facts["kind"], verdict, facts.get("description", ""))


def _title(page: Path) -> str:
    """Return the first heading of a page of Markdown; its name if it has none."""
    lines = _text(page).splitlines()
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), page.stem)


class _Head(HTMLParser):
    """The title of a page, and what its ``meta`` elements say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.facts: dict[str, str] = {}
        self.title = ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the name and the content of a ``meta`` element."""
        self._in_title = tag == "title" and not self.title
        values = dict(attrs)
        if tag == "meta" and (name := values.get("name")):
            self.facts.setdefault(name, values.get("content") or "")

    def handle_data(self, data: str) -> None:
        """Note the title."""
        if self._in_title:
            self.title += data
