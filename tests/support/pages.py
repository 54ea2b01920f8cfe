"""Pages as tests read them."""

import re
from html.parser import HTMLParser


class Outline(HTMLParser):
    """Tags in order, their ids, and the visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        self.links += re.findall(r"url\((#[^)]+)\)", " ".join(value or "" for _, value in attrs))

    def handle_data(self, data):
        self.text.append(data)
