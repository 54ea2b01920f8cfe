"""Plain English: phrases that the glossary replaces by standard terms occur nowhere in the project."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("estimators", "infodis_stats", "tests", "docs", "reports")
SUFFIXES = {".py", ".pyi", ".md", ".toml", ".html", ".svg", ".css"}

# Written with slashes, so that this file does not contain them.
PHRASES = (
    "told/apart",
    "speaks/against",
    "hangs/on",
    "hang/on",
    "or/their/kin",
    "and/its/kin",
    "served/for/nothing",
    "tells/its/error",
    "tell/their/error",
    "a/row/a",
    "a/cell/a",
    "a/dot/a",
    "a/panel/a",
    "bits/a/token",
    "nats/a/token",
    "what/made/this",
    "what/has/come/of",
    "brings/forth",
    "put/up/with",
    "by/lot",
    "falls/short/of/its/level",
    "hold/their/level",
)
BETWEEN = r"(?:[\s#>*_]|\"\s*f?\")+"  # in prose, over two lines of a comment or of a string, and in names
JARGON = re.compile(
    "|".join(rf"(?<![a-z]){BETWEEN.join(phrase.split('/'))}(?![a-z])" for phrase in PHRASES), re.IGNORECASE
)


def files():
    """Return the files that people write, and the committed reports."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    return sorted({*inside, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / "Makefile"})


def offences(text):
    """Return the lines and the phrases of a text that the glossary rules out."""
    return [(text.count("\n", 0, match.start()) + 1, match[0]) for match in JARGON.finditer(text)]


def test_no_phrase_of_the_glossary_is_left():
    assert len(files()) > 300
    left = [
        f"{path.relative_to(ROOT)}:{line}: {phrase!r}"
        for path in files()
        for line, phrase in offences(path.read_text(encoding="utf-8"))
    ]
    assert not left, "\n".join(left)


@pytest.mark.parametrize("phrase", PHRASES)
def test_control_each_phrase_is_recognised(phrase):
    spaced = phrase.replace("/", " ")
    assert offences(f"one\nIt is {spaced}.") == [(2, spaced)]
    assert offences(spaced.capitalize())
    assert offences("# a comment that goes " + phrase.replace("/", "\n    # "))
    assert offences(f"def test_{phrase.replace('/', '_')}_here():")
    assert not offences(f"{spaced}x")
