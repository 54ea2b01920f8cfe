"""Text that pages take from elsewhere: files of the repository, and what is generated from the code.

A page says where the text goes, by a comment of its own line::

    <!-- file: CONTRIBUTING.md -->
    <!-- file: README.md#architecture -->
    <!-- generated: command_line -->

Pages link to files of the repository by relative paths, so that they can be read without being built. Here links to
files that the site has become links within the site.
"""

import posixpath
import re
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INSERTED = re.compile(r"^<!-- (file|generated): (\S+)((?: \S+)*) -->$", re.MULTILINE)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s]+)\)")
REPORT = re.compile(r"reports/(\w+)/(?:report|scan)\.(?:md|html)")

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "developers/contributing.md",
    "CHANGELOG.md": "about/changelog.md",
    "CITATION.cff": "about/cite.md",
    "infodis_stats/models/bundled/README.md": "bundled.md",
    "reports/brackets.md": "reports/brackets.md",
    "reports/harness.md": "reports/harness.md",
    "reports/regression_variance.md": "reports/regression_variance.md",
    "reports/robustness.md": "reports/robustness.md",
    "reports/speed.md": "reports/speed.md",
    "reports/tasks/README.md": "reports/tasks.md",
}
"""Files of the repository that are pages of the site."""


def section(text: str, anchor: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above."""
    headings = [
        (match.start(), match.end(), len(match[1]), re.sub(r"[^\w -]", "", match[2].lower()).replace(" ", "-"))
        for match in re.finditer(r"^(#+) (.*)$", text, re.MULTILINE)
    ]
    for index, (_, end, level, name) in enumerate(headings):
        if name == anchor:
            after = [start for start, _, other, _ in headings[index + 1 :] if other <= level]
            return text[end : after[0] if after else None].strip()
    raise ValueError(f"no heading has the anchor #{anchor}")


def site_links(text: str, folder: Path, docname: str) -> str:
    """Turn links to files of the repository into links within the site.

    Parameters
    ----------
    text : str
        Markdown.
    folder : Path
        The folder that its links are relative to.
    docname : str
        The page that shows it.

    Returns
    -------
    str
        The same text. Links to pages begin with a slash, as Sphinx has it; those to copied reports are relative, and
        have the scheme ``site:``, which says that they are no source files.
    """
    top = posixpath.relpath("/", posixpath.dirname("/" + docname))

    def link(match: re.Match[str]) -> str:
        label, target = match[1], match[2]
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"\w+:", path) or path.startswith("/"):
            return match[0]
        absolute = Path(posixpath.normpath(posixpath.join(folder.as_posix(), path)))
        if not absolute.is_relative_to(ROOT):
            return match[0]
        inside = absolute.relative_to(ROOT).as_posix()
        if report := REPORT.fullmatch(inside):
            page = Path(inside).with_suffix(".html").name
            return f"{label}(site:{top}/reports/{report[1]}/{page}{hash_}{anchor})"
        if inside in PAGES:
            return f"{label}(/{PAGES[inside]}{hash_}{anchor})"
        if label.startswith("!"):
            return f"{label}({posixpath.relpath(absolute, (DOCS / docname).parent)})"
        return f"{label}(/{inside.removeprefix('docs/')}{hash_}{anchor})" if inside.startswith("docs/") else match[0]

    return LINK.sub(link, text)


def _insert(app: Sphinx, docname: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(docname))

    def text(match: re.Match[str]) -> str:
        kind, name, arguments = match[1], match[2], match[3].split()
        if kind == "generated":
            generate: Callable[..., str] = import_module(name).generate
            return generate(*arguments)
        file, _, anchor = name.partition("#")
        app.env.note_dependency(str(ROOT / file))
        content = (ROOT / file).read_text(encoding="utf-8")
        content = section(content, anchor) if anchor else re.sub(r"\A# .*\n", "", content)
        return site_links(content, (ROOT / file).parent, docname)

    source[0] = INSERTED.sub(text, site_links(source[0], page.parent, docname))


def _copy_reports(app: Sphinx, error: Exception | None) -> None:
    """Copy the pages of the reports, which stand by themselves, into the site."""
    if error is None and app.builder.format == "html":
        for page in (ROOT / "reports").glob("*/*.html"):
            copy = Path(app.outdir) / "reports" / page.parent.name / page.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, copy)


def setup(app: Sphinx) -> dict[str, bool]:
    """Insert text into pages as they are read, and copy the reports at the end."""
    app.connect("source-read", _insert)
    app.connect("build-finished", _copy_reports)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
