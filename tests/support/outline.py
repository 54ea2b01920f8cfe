"""Parse a page like a browser."""

import re
from html.parser import HTMLParser


class Outline(HTMLParser):
    """The outline of an HTML page.

    Attributes
    ----------
    tags : list of str
        Names of the tags, in order.
    ids : list of str
        Their ids.
    links : list of str
        Targets of links, sources of images and references in style attributes.
    text : list of str
        The pieces of visible text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag, its id and its links."""
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        self.links += re.findall(r"url\((#[^)]+)\)", " ".join(value or "" for _, value in attrs))

    def handle_data(self, data: str) -> None:
        """Record visible text."""
        self.text.append(data)
