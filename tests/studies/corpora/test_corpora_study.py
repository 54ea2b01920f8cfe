"""Corpora studies: the summary agrees with its draws, and the page with the summary."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import infodis_stats as ids
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.results.validity import held
from infodis_stats.studies import document_of
from infodis_stats.studies.corpora.run import summarise_corpora

STUDY = """\
kind = "corpora"
title = "Two corpora"
seed = 1
estimator = "uniform-count+stratified"
passes = [1, 4]
replicates = 4
reference = "even"

[model]
name = "tiny.safetensors"

[[corpora]]
name = "even"
records = "even.jsonl"
maps = 1

[[corpora]]
name = "odd <i>ones</i>"
records = "odd.jsonl"
maps = 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, network_file):
    place = tmp_path_factory.mktemp("corpora")
    (place / "tiny.safetensors").write_bytes(network_file.read_bytes())
    rng = np.random.default_rng(0)
    for name, symbols in (("even", "GAT"), ("odd", "TC ")):
        texts = ["".join(rng.choice(list(symbols), size=8 + place)) for place in range(5)]
        lines = [json.dumps({"id": f"{name} {i}", "prompt": "G" * (i % 2), "response": t}) for i, t in enumerate(texts)]
        (place / f"{name}.jsonl").write_text("\n".join(lines))
    (place / "study.toml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def tree(folder):
    return ids.run_study(folder / "study.toml")


def test_texts_are_scored_as_by_estimate_texts(folder, tree):
    network = ids.load_model(folder / "tiny.safetensors")
    draws = tree["draws"].to_dataset()
    for name in ("even", "odd"):
        records = ids.read_records(folder / f"{name}.jsonl")
        alone = ids.estimate_texts(network, records, tree["summary"].attrs["estimator"], passes=4, replicates=4, seed=1)
        found = draws["estimate"].sel(passes=4, text=[record.name for record in records])
        np.testing.assert_allclose(found, alone["nll_replicate"], rtol=1e-5)
        assert draws["length"].sel(text=found["text"]).values.tolist() == alone["length"].values.tolist()


def test_the_summary_agrees_with_the_draws(tree):
    draws, summary = tree["draws"].to_dataset(), tree["summary"].to_dataset()
    bits = (draws["estimate"] / draws["length"] / np.log(2)).transpose("text", "passes", "replicate").values
    even, odd = bits[:5], bits[5:]
    one = summary.sel(corpus="odd <i>ones</i>")
    means = odd[:, 1].mean(axis=1)
    assert one["bits_per_token"].item() == pytest.approx(means.mean())
    half = stats.t.ppf(0.975, 4) * means.std(ddof=1) / 5**0.5
    assert one["bits_per_token_ci"].values == pytest.approx([means.mean() - half, means.mean() + half])
    assert one["difference"].item() == pytest.approx(means.mean() - even[:, 1].mean())
    areas = [
        np.mean([(odd[i, step, r] > even[j, step, r]) for i in range(5) for j in range(5) for r in range(4)])
        for step in range(2)
    ]
    assert one["auroc"].values == pytest.approx(areas)
    assert (one["auroc_ci"].sel(ci_bound="lower") < one["auroc"]).all()
    noise = odd[:, 1].var(axis=1, ddof=1).mean() / 4
    assert one["mask_share"].item() == pytest.approx(noise / means.var(ddof=1))
    base = summary.sel(corpus="even")
    assert base["difference"].item() == 0
    assert base["auroc"].isnull().all()


@pytest.mark.slow
def test_intervals_of_differences_have_nominal_coverage():
    """In 400 studies of corpora that differ by 0.3 bits, Welch's intervals cover 0.3 bits but not 0."""
    rng = np.random.default_rng(0)
    covered = plain = 0
    for _ in range(400):
        texts = np.concatenate([rng.normal(3.0, 0.3, 15), rng.normal(3.3, 0.5, 20)])
        estimate = (texts[:, None, None] + rng.normal(0, 0.3, (35, 1, 4))) * np.log(2) * 10
        draws = xr.Dataset(
            {"estimate": (["text", "passes", "replicate"], estimate), "length": ("text", np.full(35, 10))},
            coords={"corpus": ("text", ["a"] * 15 + ["b"] * 20), "passes": [8]},
        )
        lower, upper = summarise_corpora(draws, "a").sel(corpus="b")["difference_ci"].values
        covered += lower < 0.3 < upper
        plain += lower < 0.0 < upper
    assert abs(covered - 380) < 4 * (400 * 0.95 * 0.05) ** 0.5
    assert plain < 250


def test_a_mean_that_a_few_texts_dominate_has_a_caution(tree):
    """Five texts per corpus are too few for skewness to show; of 12, one that costs 40 times as much dominates."""
    summary = tree["summary"].to_dataset()
    assert summary["dominated"].all()
    assert [caution.key for caution in held(summary["cautions"])] == ["few-documents-dominate"]
    page = render_html(document_of(tree))
    assert "few-documents-dominate" in page
    bits = np.tile(np.linspace(2.9, 3.1, 12), 2)
    bits[23] = 120.0
    draws = xr.Dataset(
        {
            "estimate": (["text", "passes", "replicate"], np.repeat(bits, 4).reshape(24, 1, 4)),
            "length": ("text", np.ones(24)),
        },
        coords={"corpus": ("text", ["a"] * 12 + ["b"] * 12), "passes": [8]},
    )
    assert summarise_corpora(draws, "a")["dominated"].values.tolist() == [False, True]


def test_maps_show_the_first_texts_and_sum_to_their_bits(tree):
    maps, draws = tree["maps"].to_dataset(), tree["draws"].to_dataset()
    assert list(dict.fromkeys(maps["text"].values.tolist())) == ["even 0", "odd 0", "odd 1"]
    total = maps["nll"].groupby("text").sum()
    estimate = draws["estimate"].sel(passes=4, text=total["text"].values).mean("replicate")
    np.testing.assert_allclose(total, estimate, rtol=0.2)  # the same passes with different weights
    assert "".join(maps["token"].values[maps["text"].values == "odd 1"]).strip("TC ") == ""


def test_the_page_agrees_with_the_summary_and_escapes_quotes(folder, tree, tmp_path):
    report = document_of(tree)
    assert report.answer[0].startswith("Odd <i>ones</i> ")
    assert set(report.figures) == {"scores", "auroc", "maps"}
    page = render_html(report)
    assert "<i>" not in page
    assert page.count("<svg") == 3
    assert "odd 1: " in page
    assert "![Loss maps](figures/maps.svg)" in render_markdown(report)
    ids.write_report(tree, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out" / "tables").iterdir()}
    assert names == {"corpora.csv", "auroc.csv", "texts.csv", "maps.csv"}
    assert render_html(document_of(ids.read_store(tmp_path / "out"))) == page


def test_without_maps_there_is_no_section_for_them(folder):
    path = folder / "plain.toml"
    path.write_text(STUDY.replace("maps = 1\n", "").replace("maps = 2\n", ""))
    tree = ids.run_study(path)
    assert "maps" not in tree.children
    report = document_of(tree)
    assert "Cost of each token" not in render_html(report) + render_markdown(report)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "corpora"', 'kind = "corpus"', "line 1: kind must be 'comparison', 'blocks', 'calibration'"),
        ('reference = "even"', 'reference = "evn"', "reference 'evn' is none of even, odd"),
        ("uniform-count+stratified", "uniform-count+stratfied", "did you mean uniform-count+stratified"),
        ('"odd <i>ones</i>"', '"even"', "the names of corpora must differ"),
        ('records = "odd.jsonl"', 'record = "odd.jsonl"', "unknown key 'corpora.1.record'; did you mean 'records'?"),
        ("passes = [1, 4]", "passes = [4, 4]", "passes must differ"),
        ('records = "odd.jsonl"', 'records = "other.jsonl"', "other.jsonl cannot be read"),
        ('[model]\nname = "tiny.safetensors"\n', "", "key 'model' is missing"),
    ],
)
def test_bad_files_are_rejected_in_one_sentence(folder, old, new, words):
    path = folder / "bad.toml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises(ids.InputError) as caught:
        ids.run_study(path)
    assert words in str(caught.value)
