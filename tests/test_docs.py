"""The README's code runs, and what it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_readme_code_runs_in_order(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 9
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(block, names)
    printed = capsys.readouterr().out.splitlines()
    (four_coins,) = (line for line in printed if line.startswith("2.7725"))
    assert float(four_coins) == pytest.approx(2.772589, abs=1e-6)
    assert any(line.startswith("fine: ") for line in printed)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_and_files_exist(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    files = re.findall(r"`((?:estimators|infodis_stats|tests|reports)/[\w/]*(?:\.\w+)?)`", text)
    for name in {*links, *files}:
        assert (ROOT / name).exists(), name


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"^    make ([\w-]+)", (ROOT / page).read_text(), flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
