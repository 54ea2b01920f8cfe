"""Check a built site: relative links lead to files and anchors, and nothing is loaded from elsewhere.

python docs/check_site.py out/docs
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""What a browser loads with a page; links of <a> are followed by readers only."""


class Page(HTMLParser):
    """The anchors, the links and the loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag is or leads to."""
        values = {name: value for name, value in attrs if value is not None}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag in LOADED and LOADED[tag] in values and values.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.add(values[LOADED[tag]])


def problems(folder: Path) -> Iterator[str]:
    """Yield a sentence for each broken link or file of another server.

    Parameters
    ----------
    folder : Path
        Of the built site.
    """
    root = folder.resolve()
    built = (
        path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts
    )  # those are templates of the theme
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in built}
    for path, page in pages.items():
        here = path.relative_to(root)
        for link in sorted(page.links | page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    yield f"{here} loads {link}, which is not part of the site"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_relative_to(root) or not target.exists():
                yield f"{here} links to {link}, which does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{here} links to {link}, and that page has no such anchor"


def main() -> int:
    """Print all problems of a site; return 1 if there are any."""
    (folder,) = sys.argv[1:]
    found = list(problems(Path(folder)))
    for problem in found:
        print(problem, file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
