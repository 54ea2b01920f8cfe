"""The diagnosis page is complete, self-contained and safe, and its figures agree with the numbers."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.models import MaskedLanguageModel
from infodis_stats.plots.intervals import covered, plot_intervals
from infodis_stats.plots.ranks import plot_ranks
from infodis_stats.plots.running import plot_running
from infodis_stats.report.diagnosis.document import worst_first
from infodis_stats.report.svg import svg_of
from tests.support import tiny_networks
from tests.support.outline import Outline

LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(8, length=12, seed=1)
NAMES = ["one", "<script>alert(1)</script>", r"$\frac|_x_$ & `q`", "line\nbreak", "x" * 90, "six", "seven", "eight"]
MISS = "#c81e3a"


def estimated(**asked):
    asked = {"passes": 8, "replicates": 16, "names": NAMES} | asked
    return ids.estimate_nll(LAW, TOKENS, "uniform-count+stratified", **asked)


@pytest.fixture(scope="module")
def result():
    """The interval of the last sequence misses the exact value."""
    found = estimated()
    found["exact"] = found["exact"] + 20.0 * (np.arange(8) == 7)
    return found


@pytest.fixture(scope="module")
def sizes():
    return ids.estimate_sizes(LAW, TOKENS, bins=4, passes=8, names=NAMES)


def test_the_folder_is_complete_and_the_page_is_self_contained(result, sizes, tmp_path):
    page = ids.write_diagnosis(result, tmp_path / "out", sizes)
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    figures = ["running", "ranks", "intervals", "sizes"]
    assert names == {"diagnosis.html", "diagnosis.md", *(f"figures/{one}.svg" for one in figures)}
    text = page.read_text()
    outline = Outline(text)
    assert outline.tags.count("svg") == 4
    assert outline.tags.count("script") == 1  # that for sorting
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.links) <= {f"#{one}" for one in outline.ids}  # no external resources
    shown = "".join(outline.text)
    for one in ids.diagnose(result).verdicts:
        assert one.reason in shown
        assert one.measured in shown
    assert "1 of 8 miss it" in shown
    assert ids.write_diagnosis(result, tmp_path / "again", sizes).read_text() == text


def test_names_are_escaped(result, tmp_path):
    """Names appear verbatim in text and figures and cannot start a tag, a formula or a column."""
    named = result.copy(deep=True)
    named["exact"] = named["exact"] + 20.0 * (np.arange(8) < 3)
    ids.write_diagnosis(named, tmp_path)
    outline = Outline((tmp_path / "diagnosis.html").read_text())
    assert outline.tags.count("script") == 1  # that for sorting
    assert "<script>alert(1)</script>" in "".join(outline.text)
    assert NAMES[2] in "".join(outline.text)
    text = (tmp_path / "diagnosis.md").read_text()
    assert "<script" not in text
    (row,) = (line for line in text.splitlines() if line.startswith("| exact value"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 6  # five cells
    for path in (tmp_path / "figures").iterdir():
        assert "<script" not in path.read_text()


def test_the_worst_items_come_first(result):
    assert worst_first(ids.diagnose(result), NAMES)[:2] == [7, 0]
    verdicts = [
        Verdict("a", "caution", "", items=(2, 1)),
        Verdict("b", "do not use", "", items=(3,)),
        Verdict("c", "fine", ""),
    ]
    assert worst_first(Diagnosis(verdicts), [0, 1, 2, 3, 4]) == [3, 2, 1, 0, 4]
    figure = svg_of("running", plot_running, result.isel(sequence=worst_first(ids.diagnose(result), NAMES)))
    titles = [figure.find(f">{name}<") for name in ("eight", "one")]
    assert 0 < titles[0] < titles[1]
    assert figure.find(">seven<") < 0  # six panels


def test_missed_intervals_are_red(result):
    lower, upper = result["nll_ci"].values.T
    exact = result["exact"].values
    np.testing.assert_array_equal(covered(result, "nll"), (lower <= exact) & (exact <= upper))
    assert MISS in svg_of("intervals", plot_intervals, result)
    assert covered(estimated(seed=3), "nll").all()
    assert MISS not in svg_of("intervals", plot_intervals, estimated(seed=3))
    assert "estimate minus exact" not in svg_of("intervals", plot_intervals, result.drop_vars("exact"))


def test_drifting_replicates_have_red_ranks(result):
    assert MISS not in svg_of("ranks", plot_ranks, result)
    drifting = result.copy(deep=True)
    drifting["nll_replicate"] = drifting["nll_replicate"] + 2.0 * np.arange(16)
    assert MISS in svg_of("ranks", plot_ranks, drifting)


def test_few_equal_or_padded_replicates_can_be_plotted(tmp_path):
    exact = ids.estimate_nll(LAW, TOKENS, "chain", passes=12, replicates=2, interval="student-t")
    with pytest.raises(ids.InputError, match="at least 4 replicates that differ"):
        svg_of("ranks", plot_ranks, exact)
    assert "ranks.svg" not in (ids.write_diagnosis(exact, tmp_path).parent / "diagnosis.md").read_text()
    asked = estimated(precision=1.2, replicates=4)
    assert asked["nll_replicate"].isnull().any()
    ids.write_diagnosis(asked, tmp_path)
    text = ids.write_diagnosis(estimated(replicates=1, interval="design", simultaneous=True), tmp_path).read_text()
    assert "Running means" not in text
    assert "confidence none should" in text


def test_pairs_and_many_items(tmp_path):
    first, second = LAW.sample(60, length=8, seed=2), LAW.sample(60, length=8, seed=3)
    pairs = ids.estimate_log_ratio(LAW, first, second, "uniform-count+stratified", passes=4, replicates=4)
    text = ids.write_diagnosis(pairs, tmp_path).read_text()
    assert "60 pairs, by error" in text
    parts = ids.estimate_sizes(LAW, first, passes=4, replicates=2)
    with pytest.raises(ids.InputError, match="belong to other sequences"):
        ids.write_diagnosis(pairs, tmp_path, parts)
    assert "6 of 60 pairs; any that the verdicts name come first" in text


def test_input_that_cannot_be_plotted_is_rejected(result, sizes, study, tmp_path):
    for bad, parts, message in [
        (study, None, "write_report"),
        (sizes, None, "a diagnosis needs"),
        (result, result, "sizes must be the result of estimate_sizes"),
        (result, sizes.isel(sequence=slice(3)), "belong to other sequences"),
    ]:
        with pytest.raises(ids.InputError, match=message):
            ids.write_diagnosis(bad, tmp_path / "none", parts)
    assert not (tmp_path / "none").exists()


def test_the_conventions_of_the_models_are_shown(tmp_path):
    torch.manual_seed(0)
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    models = [
        MaskedLanguageModel(network, "llada", mask_id=10, length=16, before=before, revision="0a1b")
        for before in ((9,), ())
    ]
    result = ids.estimate_model_log_ratio(*models, TOKENS, passes=4, replicates=4)
    ids.write_diagnosis(result, tmp_path)
    text = (tmp_path / "diagnosis.md").read_text().replace("\\", "")
    shared = "after none, shifted no, exclude_mask no, guidance 0, dtype float32, revision 0a1b"
    for before in ("9", "none"):
        assert f"Its conventions: family llada, mask_id 10, before {before}, {shared}" in text
    assert (
        text.index("Model: llada")
        < text.index("before 9")
        < text.index("Second model: llada")
        < text.index("before none")
    )
    ids.write_diagnosis(ids.estimate_nll(LAW, TOKENS, passes=4, replicates=4), tmp_path)
    assert "conventions" not in (tmp_path / "diagnosis.md").read_text()  # a law has none
