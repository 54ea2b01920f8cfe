"""Phrases that the style guide replaces by standard terms occur nowhere in the code, its tests or its documentation."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SUFFIXES = {".py", ".pyi", ".md", ".toml", ".html", ".css", ".cfg"}
SOURCES = ("estimators", "infodis_stats", "tests", "docs")
PHRASES = """
told+apart speak+against speaks+against hang+on hangs+on or+their+kin and+its+kin served+for+nothing tells+its+error
tell+their+error a+row+a a+cell+a a+dot+a a+panel+a bits+a+token nats+a+token what+made+this what+has+come+of
brings+forth put+up+with by+lot falls+short+of+its+level hold+their+level
""".split()  # noqa: SIM905  one string with pluses, so that this file does not contain the phrases
GAP = r"[\s_#]+"  # a phrase may be a name, or continue on the next line of a comment
PATTERN = re.compile(
    rf"(?<![a-z])(?:{'|'.join(phrase.replace('+', GAP) for phrase in PHRASES)})(?![a-z])", re.IGNORECASE
)


def texts():
    """Return the paths of the files that people write; reports are generated from them."""
    folders = [path for name in SOURCES for path in (ROOT / name).rglob("*")]
    others = [*ROOT.glob("*"), *(ROOT / "reports").glob("*.md"), *(ROOT / "reports").rglob("*.toml")]
    return sorted(path for path in {*folders, *others} if path.suffix in SUFFIXES and path.is_file())


def test_no_text_contains_a_replaced_phrase():
    paths = texts()
    assert len(paths) > 300
    found = [
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in paths
        for match in PATTERN.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize("gap", [" ", "_", "\n    # "])
def test_control_each_phrase_is_detected(phrase, gap):
    assert PATTERN.search(f"some {phrase.replace('+', gap).title()}, more")
    assert not PATTERN.search(f"some{phrase.replace('+', gap)}x")
