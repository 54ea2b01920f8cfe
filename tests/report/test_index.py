"""The list of the reports in a folder: what the pages say of themselves, with links that lead to them."""

import re

import pytest

import infodis_stats as ids
from infodis_stats.report import write_index
from infodis_stats.report.document import Answer, Document, Note, Verdicts
from infodis_stats.report.page import files_of, write_texts
from tests.support.command_line import run
from tests.support.outline import Outline

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
SCAN = ids.scan_substitutions(LAW, LAW.encode(["GAT"])[0], "exhaustive", passes=7)


@pytest.fixture
def folder(tmp_path):
    ids.write_scans({"co|don <b>": SCAN}, tmp_path / "a scan")
    result = ids.estimate_nll(LAW, LAW.sample(2, length=6, seed=1), "time-integral", passes=4, replicates=4)
    ids.write_diagnosis(result, tmp_path / "diagnosed")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "page.html").write_text("<title>Not ours</title>")
    (tmp_path / "speed.md").write_text("# Speed and memory\n\ntext\n")
    return tmp_path


def test_the_list_has_title_kind_verdict_finding_and_link(folder):
    page = write_index(folder)
    assert page == folder / "index.html"
    outline = Outline(page.read_text(encoding="utf-8"))
    links = [link for link in outline.links if not link.startswith("#")]
    assert links == ["a%20scan/scan.html", "diagnosed/diagnosis.html", "speed.md"]
    assert all((folder / link.replace("%20", " ")).is_file() for link in links)
    text = "".join(outline.text)
    for words in ("Substitution scan: co|don <b>", "Speed and memory", "fine", "do not use", "of 9 substitutions are"):
        assert words in text
    assert "b" not in outline.tags
    assert "Not ours" not in text
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "](a%20scan/scan.md) | scan | fine | " in readme
    assert re.search(r"\]\(diagnosed/diagnosis\.md\) \| diagnosis \| do not use \|", readme)
    assert len({line.count("|") for line in readme.splitlines() if line.startswith("|")}) == 1
    assert write_index(folder).read_text(encoding="utf-8") == page.read_text(encoding="utf-8"), "not a report itself"


def test_a_page_without_verdict_or_findings_is_listed(tmp_path):
    write_texts(files_of(Document("Plain", "", [Note("text")], kind="notes"), "report"), tmp_path / "plain")
    sections = [
        Verdicts(ids.diagnose(ids.estimate_nll(LAW, LAW.sample(2, length=4, seed=0)))),
        Answer(('A "quoted" one.',)),
    ]
    write_texts(files_of(Document("Quoted", "", sections, kind="test"), "report"), tmp_path / "quoted")
    readme = write_index(tmp_path).with_name("README.md").read_text(encoding="utf-8")
    assert "[Plain](plain/report.md) | notes |  |  |" in readme
    assert 'A "quoted" one.' in readme


def test_equal_titles_are_followed_by_their_folders(tmp_path):
    for name in ("first", "second"):
        ids.write_scans({"codon": SCAN}, tmp_path / name)
    text = "".join(Outline(write_index(tmp_path).read_text(encoding="utf-8")).text)
    assert "Substitution scan: codon (first)" in text
    assert "Substitution scan: codon (second)" in text


def test_links_lead_to_the_page_where_its_markdown_is_missing(folder):
    (folder / "a scan" / "scan.md").unlink()
    assert "](a%20scan/scan.html)" in write_index(folder).with_name("README.md").read_text(encoding="utf-8")


def test_pages_in_another_encoding_and_folders_named_like_pages_are_no_reports(folder):
    (folder / "other" / "bad.html").write_bytes(b"\xff\xfe<html>")
    (folder / "other" / "folder.html").mkdir()
    assert write_index(folder).is_file()


@pytest.mark.parametrize("name", ["index.html", "README.md"])
def test_a_file_that_is_no_list_is_kept(folder, name):
    (folder / name).write_text("my own page")
    with pytest.raises(ids.InfodisError, match=f"{name} is not a list of reports; move it"):
        write_index(folder)
    assert (folder / name).read_text() == "my own page"


def test_the_command_writes_it_and_says_what_is_wrong(folder, capsys):
    status, out, _ = run(capsys, "index", str(folder))
    assert (status, out) == (0, f"The list is {folder / 'index.html'}\n")
    (folder / "README.md").write_text("# My own words\n")
    status, _, error = run(capsys, "index", str(folder))
    assert status == 2
    assert "README.md is not a list of reports; move it" in error
    assert (folder / "README.md").read_text() == "# My own words\n"
    status, _, error = run(capsys, "index", str(folder / "other"))
    assert (status, error.split(": ", 1)[1]) == (
        2,
        f"no subfolder of {folder / 'other'} contains the page of a report\n",
    )
    status, _, error = run(capsys, "index", str(folder / "none"))
    assert (status, error.split(": ", 1)[1]) == (2, f"{folder / 'none'} is not a folder\n")
