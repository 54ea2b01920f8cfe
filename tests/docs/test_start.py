"""The page Start: every command on it runs in an empty folder and prints what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "start.md"
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def blocks() -> list[tuple[str, str]]:
    """Return the language and the content of each block of the page, without the installation."""
    found = [(match[1], match[2]) for match in BLOCK.finditer(PAGE.read_text(encoding="utf-8"))]
    assert "pip install" in found[0][1]
    return found[1:]


def assert_shown(printed: str, shown: str) -> None:
    """Words are the same and numbers nearly: networks round differently on other machines."""
    assert NUMBER.sub("#", " ".join(printed.split())) == NUMBER.sub("#", " ".join(shown.split()))
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.03, abs=0.03)


@pytest.mark.slow
def test_every_command_prints_what_the_page_shows(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(PAGE.parents[1])
    printed, shown = "", 0
    for language, content in blocks():
        if language == "sh":
            run = subprocess.run(
                ["bash", "-ec", content], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stderr
            printed = run.stdout
        elif language == "python":
            (tmp_path / "compare.py").write_text(content, encoding="utf-8")
        else:
            assert_shown(printed, content)
            shown += 1
    assert shown == 3
    assert (tmp_path / "variance.svg").exists()
    assert (tmp_path / "study" / "report.html").exists()


def test_control_other_words_or_numbers_are_noticed():
    for printed in ("nll 91.07 nats", "nll 84.0 nats", "nll 90.07 bits"):
        with pytest.raises(AssertionError):
            assert_shown(printed.replace("91.07", "95.0"), "nll 90.07 nats")
    assert_shown("nll   90.08 nats", "nll 90.07 nats\n")
