"""The digest of a study changes with everything that determines its numbers, and a report is recognised by it."""

import shutil
from pathlib import Path

import pytest
import torch

import infodis_stats as ids
from infodis_stats.cli import main
from infodis_stats.execution import blocks
from infodis_stats.io.store import read_store
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.studies import digest as digests
from infodis_stats.studies import kept_study
from infodis_stats.studies.design.scenario import Subject
from tests.support.small_studies import SMALL_CALIBRATION, SMALL_FRONTIER

STUDY = """\
title = "A tiny study"
seed = 1
passes = [4]
replicates = 8
estimators = ["time-free", "uniform-count"]
reference = "time-free"
truth_passes = 16
model = { name = "tiny.safetensors" }
targets = [{ name = "texts", records = "texts.txt" }]
"""


def write_network(folder: Path, change: float = 0.0) -> None:
    torch.manual_seed(0)
    network = Denoiser(DenoiserConfig("GATC", length=8, layers=1, width=8, heads=2))
    with torch.no_grad():
        next(network.parameters())[0, 0] += change
    network.save(folder / "tiny.safetensors")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with a study of a network, its network, its texts, and its report."""
    folder = tmp_path_factory.mktemp("original")
    write_network(folder)
    (folder / "texts.txt").write_text("GATTACA\nTAGGA\n")
    (folder / "study.toml").write_text(STUDY)
    assert main(["study", str(folder / "study.toml"), "--out", str(folder / "out")]) == 0
    return folder


@pytest.fixture
def folder(original, tmp_path):
    """A copy of that folder."""
    return Path(shutil.copytree(original, tmp_path / "copy"))


@pytest.fixture
def clone(folder):
    """A copy without what is not committed."""
    (folder / "out" / "study.nc").unlink()
    shutil.rmtree(folder / "out" / "ledger")
    return folder


@pytest.fixture
def computed(monkeypatch):
    """The blocks that are computed."""
    computed, compute = [], blocks.Block.compute
    monkeypatch.setattr(
        blocks.Block, "compute", lambda block, **settings: computed.append(block) or compute(block, **settings)
    )
    return computed


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def run(folder: Path, *options: str) -> None:
    assert main(["study", str(folder / "study.toml"), "--out", str(folder / "out"), *options]) == 0


def kept(folder: Path):
    return kept_study(folder / "study.toml", folder / "out")


CHANGES = {
    "a number": (lambda folder, _: edit(folder / "study.toml", "replicates = 8", "replicates = 9"), True),
    "a text": (lambda folder, _: edit(folder / "texts.txt", "GATTACA", "GATTACC"), True),
    "a weight": (lambda folder, _: write_network(folder, 1.0), True),
    "code": (lambda _, patch: patch.setattr(digests, "code_digest", lambda module: f"other code of {module}"), True),
    "the title": (lambda folder, _: edit(folder / "study.toml", "A tiny study", "Another title"), False),
    "a comment": (lambda folder, _: edit(folder / "study.toml", "seed = 1", "seed = 1  # a comment"), False),
    "a default": (lambda folder, _: edit(folder / "study.toml", "seed = 1", "seed = 1\nlevel = 0.95"), False),
    "nothing": (lambda *_: None, False),
}


@pytest.mark.parametrize(("change", "counts"), CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with_what_determines_the_numbers(folder, monkeypatch, change, counts):
    assert kept(folder).study is not None
    change(folder, monkeypatch)
    assert (kept(folder).study is None) == counts
    assert kept(folder).report != counts


def test_a_kept_study_is_reported_anew_without_running(folder, computed, capsys):
    with read_store(folder / "out") as tree:
        before = tree["draws"].to_dataset().load()
    edit(folder / "study.toml", "A tiny study", "Another title")
    (folder / "out" / "report.html").write_text("damaged")
    run(folder)
    assert computed == []
    assert "The report is" in capsys.readouterr().out
    page = (folder / "out" / "report.html").read_text()
    assert page.count("Another title") > 1  # in the copy of the study file, too
    with read_store(folder / "out") as tree:
        assert tree["draws"].to_dataset().identical(before)


def test_a_clone_says_that_its_report_is_up_to_date(clone, computed, capsys):
    run(clone)
    sentence = f"{clone / 'out'} is up to date: same study, models and code; nothing to run; --again runs it\n"
    assert capsys.readouterr().out == sentence
    assert computed == []
    assert not (clone / "out" / "study.nc").exists()
    run(clone, "--again")
    assert computed
    assert kept(clone).study is not None


def test_a_changed_study_runs_and_keeps_its_blocks(folder, computed):
    edit(folder / "study.toml", '"uniform-count"]', '"uniform-count", "uniform-count+stratified"]')
    run(folder)
    drawn = {block.section.cells[block.part][0].sampler.name for block in computed if block.section.name == "draws"}
    assert drawn == {"uniform-count+stratified"}


@pytest.mark.parametrize("text", [SMALL_FRONTIER, SMALL_CALIBRATION], ids=["frontier", "calibration"])
def test_another_subject_leaves_the_blocks_of_the_others(tmp_path, computed, text):
    keys, second, first = text.split("[[subjects]]")
    stored: set[str] = set()
    for subjects in ([first], [second, first]):
        (tmp_path / "study.toml").write_text("\n[[subjects]]".join([keys, *subjects]))
        computed.clear()
        ids.run_study(tmp_path / "study.toml", ledger=tmp_path / "ledger")
        assert len({block.section.name for block in computed if block.section.name.startswith("draws")}) == 1
        assert not stored.intersection(block.key for block in computed)
        stored.update(block.key for block in computed)


@pytest.mark.parametrize("page", digests.PAGES)
@pytest.mark.parametrize("damage", ["cut", "missing", "no text", "of before"])
def test_a_damaged_report_is_not_up_to_date(clone, page, damage):
    path, line = clone / "out" / page, digests.digest_in_words("")
    text = path.read_text()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_text(text[: text.index(line) + 200])
    elif damage == "no text":
        path.write_bytes(b"\xff" + path.read_bytes())
    else:  # there were no digests
        path.write_text("\n".join(line for line in text.splitlines() if digests.digest_in_words("") not in line))
    assert not kept(clone).report


@pytest.mark.parametrize("part", ["figures", "tables"])
def test_a_report_without_its_files_is_not_up_to_date(clone, part):
    assert kept(clone).report
    files = sorted((clone / "out" / part).iterdir())
    for file in files if part == "tables" else files[:1]:
        file.unlink()
    assert not kept(clone).report


def test_a_damaged_study_does_not_count(folder):
    path = folder / "out" / "study.nc"
    path.write_bytes(path.read_bytes()[:-100])
    assert kept(folder).study is None


def test_a_model_without_a_fingerprint_has_no_digest():
    class Plain:
        pass

    assert digests.study_digest(None, [Subject(None, Plain())]) == ""
    assert digests.stored_study(Path(), "") is None
    assert not digests.has_report(Path(), "")
