"""Hostile names on pages: text from data is escaped in every format, and the pages stay well-formed."""

import csv
import itertools
import re
from html.parser import HTMLParser
from importlib import resources
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infodis_stats as ids
from infodis_stats.report import markdown
from infodis_stats.studies import document_of
from tests.support.hostility import FUZZ
from tests.support.small_studies import SMALL_CALIBRATION, SMALL_FRONTIER, SMALL_INFORMATION, SMALL_RATIO, SMALL_STUDY

STUDIES = {
    "comparison": SMALL_STUDY,
    "ratio": SMALL_RATIO,
    "frontier": SMALL_FRONTIER,
    "calibration": SMALL_CALIBRATION,
    "information": SMALL_INFORMATION,
}
BREAKING = {  # each breaks out of an element, an attribute, a cell, a link, a formula, a command or a template
    "element": "<script>x()</script>",
    "attribute": "\"'><img src=x onerror=x()>",
    "cell": "|`a`|",
    "link": "[a](javascript:x)",
    "formula": r"$\\frac{x}$",
    "command": r"\\input{x}%&#_^~",
    "template": "{{ 7 * 7 }}{% raw %}",
    "comment": "--><!--]]>",
    "entity": "&lt;script>",
}
NOT_OURS = {"img", "iframe", "object", "embed", "link", "form", "base", "input"}
SCRIPT = resources.files("infodis_stats.report").joinpath("sort.js").read_text(encoding="utf-8")
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)


class Elements(HTMLParser):
    """The elements of a page, the names of their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.names, self.attributes, self.links, self.text, self.scripts = set(), set(), [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "script":
            self.scripts.append("")
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        if self.lasttag == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data
        else:
            self.text += data


def assert_harmless(page):
    found = Elements(page)
    assert not found.names & NOT_OURS
    assert set(found.scripts) <= {SCRIPT}
    assert all(link.startswith("#") for link in found.links)
    assert not any(name.startswith("on") for name in found.attributes)
    return found.text


def assert_harmless_markdown(text):
    """Check that, outside code blocks, there are no elements, only links to our figures, and well-formed tables."""
    prose = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<" not in prose
    assert all(link.startswith("figures/") for link in re.findall(r"\]\((.*?)\)", prose))
    for above, below in itertools.pairwise(prose.splitlines()):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|")


def spoiled(text, name):
    """Return a copy of a study whose title and names all end with a hostile text."""
    quoted = name.replace("\\", r"\\")
    return re.sub(r'(?<=\b(?:name|itle) = ")[^"]*(?=")', lambda found: f"{found[0][:12]}{quoted}", text)


@pytest.mark.parametrize("kind", STUDIES)
def test_reports(kind, tmp_path):
    (tmp_path / "a.toml").write_text(spoiled(STUDIES[kind], "<script>|'`$\\q$"))
    tree = ids.run_study(tmp_path / "a.toml")
    tree.attrs["title"] = " ".join(BREAKING.values())
    page = ids.write_report(tree, tmp_path / "out")
    text = assert_harmless(page.read_text(encoding="utf-8"))
    assert "<script>|'`$\\q$" in text
    assert tree.attrs["title"] in text
    assert_harmless_markdown((tmp_path / "out" / "report.md").read_text(encoding="utf-8"))
    for figure in (tmp_path / "out" / "figures").iterdir():
        names = {one.tag.rpartition("}")[2] for one in ElementTree.parse(figure).iter()}
        assert not names & (NOT_OURS | {"script", "a"})
    for table in (tmp_path / "out" / "tables").iterdir():
        with table.open(newline="", encoding="utf-8") as file:
            assert len({len(row) for row in csv.reader(file)}) == 1


def test_control_the_checks_detect_unescaped_text():
    for page in (
        "<p><script>x()</script>",
        "<td title=''><img src=x onerror=x()>",
        "<p onclick=x()>",
        "<a href='javascript:x'>",
    ):
        with pytest.raises(AssertionError):
            assert_harmless(page)
    for text in ("# <script>", "[a](javascript:x)", "| a |\n|---|\n| b | c |"):
        with pytest.raises(AssertionError):
            assert_harmless_markdown(text)


def test_a_study_cannot_end_its_block_of_code(study):
    tree = study.copy(deep=True)
    tree["provenance"].attrs["spec"] = "a\n```\n<script>\n````\n[a](javascript:x)"
    text = markdown.render_markdown(document_of(tree))
    assert_harmless_markdown(text)
    assert "`````toml\n" in text


NAMES = st.lists(
    st.one_of(st.sampled_from(sorted(BREAKING.values())), st.text(st.characters(exclude_categories=["Cs", "Cc"]))).map(
        lambda text: text + "."
    ),
    min_size=2,
    max_size=2,
    unique=True,
)


@pytest.fixture(scope="module")
def result():
    return ids.estimate_nll(LAW, LAW.sample(2, length=4, seed=0), "uniform-count", passes=4, replicates=4)


@settings(FUZZ, max_examples=60)
@given(NAMES)
def test_tables(result, names):
    table = ids.summary(result.assign_coords(sequence=names))
    lines = table.to_markdown().splitlines()
    assert len(lines) == 4
    assert_harmless_markdown("\n".join(lines))
    rows = table.to_latex().split(r"\midrule")[1].split(r"\bottomrule")[0]
    bare = re.sub(r"\\text\w+( |\{\})|\\[%&$#_{}]|\\\\\n", "", rows)
    assert bare.count("&") == 2 * 6
    assert not set("%$#_{}\\^~") & set(bare.replace(r"\\", ""))
    assert list(table.to_dataframe()["sequence"]) == names


@FUZZ
@given(st.lists(st.text(), min_size=1, max_size=3))
def test_cells_of_markdown(texts):
    lines = str(markdown.table(pd.DataFrame({"a|<b>": texts}))).split("\n")
    assert len(lines) == 2 + len(texts)
    assert_harmless_markdown("\n".join(lines))


@FUZZ
@given(st.text(st.sampled_from("`\na<"), max_size=30))
def test_blocks_of_code(text):
    first, *_, last = str(markdown.code(text)).split("\n")
    assert first == last
    assert first not in text
