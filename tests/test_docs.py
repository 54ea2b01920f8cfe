"""The code in the README and in docs/ runs, and everything they refer to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOK = "file_format: mystnb"  # run when the site is built
IN_ORDER = ("README.md", "docs/start.md")  # their code and commands are run in order by tests of their own
DOCS = [page for page in sorted((ROOT / "docs").rglob("*.md")) if NOTEBOOK not in page.read_text(encoding="utf-8")]
PAGES = {page.relative_to(ROOT).as_posix(): page for page in (ROOT / "README.md", *DOCS)}
CODE = {
    name: re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for name, page in PAGES.items()
}


def run_code(page: str) -> None:
    names: dict[str, object] = {}
    for block in CODE[page]:
        exec(block, names)


def test_the_readme_code_prints_what_its_comments_say(capsys):
    run_code("README.md")
    printed = capsys.readouterr().out.splitlines()
    (four_coins,) = (line for line in printed if line.startswith("2.7725"))
    assert float(four_coins) == pytest.approx(2.772589, abs=1e-6)
    assert any(line.startswith("fine: ") for line in printed)


@pytest.mark.parametrize("page", [name for name, blocks in CODE.items() if blocks and name not in IN_ORDER])
def test_the_code_of_each_page_runs(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run_code(page)


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_linked_files_exist(page):
    page = ROOT / page
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    files = re.findall(r"`((?:estimators|infodis_stats|tests|reports)/[\w/]*(?:\.\w+)?)`", text)
    for path in [*(page.parent / link for link in links), *(ROOT / file for file in files)]:
        assert path.exists(), path


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"^    make ([\w-]+)", (ROOT / page).read_text(), flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
