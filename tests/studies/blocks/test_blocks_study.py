"""Studies of blocks: exact values are those of an enumeration, summaries agree with draws, and pages with summaries."""

import itertools
import json
import math
import pickle
import re

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import estimator
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.models.without_blocks import WithoutBlocks
from infodis_stats.report.html import render_html
from infodis_stats.studies import document_of
from infodis_stats.studies.blocks.run import summarise_single, summarise_variances
from tests.support.toys import ArbitraryBlocks

STUDY = """\
kind = "blocks"
title = "Small <b>blocks</b>"
seed = 3
single = ["time-integral(eps=0.001)", "uniform-count+stratified"]
draws = 40
passes = [1, 4, 8]
replicates = 8
texts = 2
estimators = ["auto", "uniform-count+stratified"]
truth_passes = 512

[[subjects]]
name = "blocks of <i>3</i>"
model = { name = "three.safetensors" }
targets = [{ name = "texts", records = "texts.jsonl" }]

[[subjects]]
name = "blocks of 14"
most_passes = 4
model = { name = "fourteen.safetensors" }
targets = [{ name = "texts", records = "texts.jsonl" }]
"""
TEXTS = ("GATTACA GATTAC", "TAG CAT TAG CA", "GGGGCCCCAAAATT")
FIRST, SECOND = "blocks of <i>3</i>", "blocks of 14"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("blocks")
    for name, size in (("three", 3), ("fourteen", 14)):
        torch.manual_seed(3)
        network = Denoiser(DenoiserConfig("GATC ", length=16, layers=1, width=16, heads=2, block_size=size))
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.4)
        network.save(place / f"{name}.safetensors")
    lines = [json.dumps({"id": f"text {row}", "response": text}) for row, text in enumerate(TEXTS)]
    (place / "texts.jsonl").write_text("\n".join(lines))
    (place / "study.toml").write_text(STUDY)
    return place


@pytest.fixture(scope="module")
def tree(folder):
    return ids.run_study(folder / "study.toml")


def enumerated(network, text, size):
    """All masks of each block of a text, the mean over the masks of one size summed over sizes: nats."""
    tokens, total = torch.tensor(network.encode(text)), 0.0
    for start in range(0, len(tokens), size):
        own = min(size, len(tokens) - start)
        masks = torch.tensor(list(itertools.product([False, True], repeat=own)))[1:]
        masked = torch.zeros(len(masks), len(tokens), dtype=torch.bool)
        masked[:, start : start + own] = masks
        losses = network.token_nll(tokens.expand(len(masks), -1), masked).double().sum(dim=1).tolist()
        counts = masks.sum(dim=1).tolist()
        total += sum(loss / (n * math.comb(own, n)) for loss, n in zip(losses, counts, strict=True))
    return total


def test_the_exact_value_is_that_of_a_direct_enumeration(folder, tree):
    network = ids.load_model(folder / "three.safetensors")
    truth = tree["truth"].to_dataset()
    assert truth["enumerated"].values.tolist() == [True] * 3 + [False] * 3
    known = truth["truth"].values[:3]
    with torch.no_grad():
        np.testing.assert_allclose(known, [enumerated(network, text, 3) for text in TEXTS], rtol=1e-5)
        wrong = [enumerated(network, text, 2) for text in TEXTS]
    assert (np.abs(known - wrong) > 0.01).all(), "control: another block size"
    assert (truth["truth_se"].values[3:] > 100 * truth["truth_se"].values[:3]).all()


def test_single_draws_are_compared_with_the_exact_values_text_by_text_and_together(tree):
    truth, single = tree["truth"].to_dataset(), tree["single"].to_dataset()
    summary = tree["single_summary"].to_dataset()
    draws = single["estimate"].transpose("item", "estimator", "draw").values[:3, 0]
    known = truth["truth"].values[:3]
    part = summary.sel(subject=FIRST, estimator="time-integral(eps=0.001)")
    bits = (draws - known[:, None]) / 14 / np.log(2)
    assert part["text_sd"].item() == pytest.approx(np.sqrt(bits.var(axis=1, ddof=1).mean()))
    assert part["text_range"].values == pytest.approx(np.quantile(bits, [0.05, 0.95]))
    assert part["text_off"].item() == pytest.approx(np.mean(np.abs(2.0**bits - 1) > 0.1))
    whole = (draws.sum(axis=0) - known.sum()) / 42 / np.log(2)
    assert part["set_sd"].item() == pytest.approx(whole.std(ddof=1))
    assert part["set_range"].values == pytest.approx(np.quantile(whole, [0.05, 0.95]))
    perplexities = np.exp(draws.sum(axis=0) / 42)
    assert part["set_off"].item() == pytest.approx(np.mean(np.abs(perplexities / np.exp(known.sum() / 42) - 1) > 0.1))
    assert part["set_sd"].item() < part["text_sd"].item()
    stratified = summary.sel(subject=FIRST, estimator="uniform-count+stratified")
    assert stratified["text_sd"].item() < part["text_sd"].item()


def test_control_shifted_single_draws_are_biased(tree):
    truth, single = tree["truth"].to_dataset(), tree["single"].to_dataset()
    assert (tree["single_summary"]["bias_p"].values > 0.05).all()
    shifted = single.assign(estimate=single["estimate"] * 1.3)
    assert (summarise_single(shifted, truth)["bias_p"].sel(subject=FIRST, estimator="uniform-count+stratified")) < 0.05
    changed = tree.copy(deep=True)
    cautions = changed["single_summary"]["cautions"]
    changed["single_summary"] = summarise_single(shifted, truth).assign(cautions=cautions)
    checks = {verdict.check: verdict.verdict for verdict in ids.diagnose(changed).verdicts}
    assert checks["bias of single draws"] == "caution"
    checks = {verdict.check: verdict.verdict for verdict in ids.diagnose(tree).verdicts}
    assert checks == {"bias of single draws": "fine", "bias": "fine", "reference values": "fine"}


def test_variances_are_compared_with_and_without_blocks(tree):
    draws, summary = tree["draws"].to_dataset(), tree["summary"].to_dataset()
    assert draws["item"].values.tolist() == [f"{name}/texts/{row}" for name in (FIRST, SECOND) for row in range(2)]
    values = draws["estimate"].sel(estimator="uniform-count+stratified", passes=4)
    variance = values.var("replicate", ddof=1).transpose("structure", "item").values
    ratios = variance[1, :2] / variance[0, :2]
    part = summary.sel(subject=FIRST, estimator="uniform-count+stratified", passes=4)
    assert part["ratio"].item() == pytest.approx(np.exp(np.log(ratios).mean()))
    assert part["ratio_ci"][0] < part["ratio"] < part["ratio_ci"][1]
    finite = summary["ratio"].sel(subject=FIRST, estimator="uniform-count+stratified").values
    mean = summary["mean_ratio"].sel(subject=FIRST, estimator="uniform-count+stratified")
    assert mean.item() == pytest.approx(np.exp(np.log(finite).mean()))
    errors = np.sqrt(variance[:, :2].mean(axis=1)) / 14 / np.log(2)
    assert part["standard_error"].values == pytest.approx(errors)
    auto = summary.sel(subject=FIRST, estimator="auto")
    assert auto["exact_texts"].values.tolist()[-1] == auto["compared"].item() == 2
    assert auto["chosen"].sel(passes=8).values.tolist() == ["exhaustive", "regression"]
    assert summary.sel(subject=SECOND, passes=8)["standard_error"].isnull().all()
    swapped = draws.assign_coords(structure=draws["structure"].values[::-1])
    other = summarise_variances(swapped, tree["truth"].to_dataset())["ratio"]
    inverse = other.sel(subject=FIRST, estimator="uniform-count+stratified", passes=4)
    assert inverse.item() == pytest.approx(1 / part["ratio"].item()), "control: with and without exchanged"


def test_a_model_without_its_blocks_has_the_same_likelihood_and_masks_over_the_whole_sequence():
    model, tokens = ArbitraryBlocks(8, 4), np.arange(8)[None] % 5
    whole = WithoutBlocks(model)
    values = [
        estimator("exhaustive").sample(each, tokens, passes=passes, replicates=1, rng=0)
        for each, passes in ((model, 15), (whole, 255))
    ]
    np.testing.assert_allclose(*values, rtol=1e-12)
    other = estimator("exhaustive").sample(ArbitraryBlocks(8, 2), tokens, passes=3, replicates=1, rng=0)
    assert abs(other - values[0]) > 1e-3, "control: another block size"
    assert not hasattr(whole, "takes_padding")
    network = Denoiser(DenoiserConfig("ab", length=8, layers=1, width=16, heads=2, block_size=2))
    assert pickle.loads(pickle.dumps(WithoutBlocks(network))).takes_padding
    assert WithoutBlocks(network).fingerprint() != network.fingerprint()
    assert WithoutBlocks(model).fingerprint() == whole.fingerprint()


def test_the_page_agrees_with_the_summary_and_escapes_names(tree, tmp_path):
    report = document_of(tree)
    single, summary = tree["single_summary"].to_dataset(), tree["summary"].to_dataset()
    bits, ends = single.sel(subject=FIRST)["bits"].item(), single.isel(estimator=0).sel(subject=FIRST)["set_range"]
    found = re.search(r"texts is ([\d.]+); 90 % .* give ([\d.]+) to ([\d.]+)\.", report.answer[0])
    assert [float(number) for number in found.groups()] == pytest.approx(
        [2**bits, *(2 ** (bits + end) for end in ends.values)], rel=0.01
    )
    assert report.answer[0].startswith(f"{FIRST}: the exact perplexity")
    assert report.answer[1].startswith(f"{SECOND}: the reference perplexity")
    assert (
        f"{FIRST}: from 8 passes on, auto is exact with blocks, all masks of which take 7 passes, and not without."
        in report.answer
    )
    ratio = summary["ratio"].sel(subject=FIRST, estimator="auto", passes=4).item()
    assert float(re.findall(r"([\d.]+) \[[\d., ]+\] \(4 passes\)", report.answer[2])[0]) == pytest.approx(ratio, 0.06)
    table = report.headlines[f"{FIRST}: times less variance with blocks"].set_index("estimator")
    assert table.loc["auto", "8"] == "exact"
    assert set(report.figures) == {"single", "errors"}
    page = render_html(report)
    assert "<i>" not in page
    assert "biased by construction" in page
    ids.write_report(tree, tmp_path)
    names = {path.stem for path in (tmp_path / "tables").iterdir()}
    assert names == {"texts", "single_texts", "single", "standard_errors", "ratios", "mean_ratios"}
    assert render_html(document_of(ids.read_store(tmp_path))) == page


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('model = { name = "three.safetensors" }', 'model = { name = "austen" }', "the model declares no blocks"),
        ("three.safetensors", "six.safetensors", "there is no model"),
        ("texts = 2", "text = 2", "unknown key 'text'; did you mean 'texts'?"),
        ("draws = 40", "draws = 8", "draws must be at least 20, got 8"),
        ('model = { name = "three.safetensors" }', 'law = { kind = "markov-chain", order = 1 }', "a law has no blocks"),
        ('single = ["time', 'single = ["block-chain+antithetic", "time', "block-chain+antithetic cannot run with any"),
        ("passes = [1, 4, 8]", "passes = [4, 4]", "passes must differ"),
        (
            'targets = [{ name = "texts", records = "texts.jsonl" }]',
            'pairs = [{ name = "texts", records = "texts.jsonl" }]',
            "a study of blocks scores targets, not pairs",
        ),
    ],
)
def test_bad_files_are_rejected_in_one_sentence(folder, old, new, words):
    path = folder / "bad.toml"
    assert old in STUDY
    path.write_text(STUDY.replace(old, new, 1))
    with pytest.raises((ids.InputError, ids.StoreError)) as caught:
        ids.run_study(path)
    assert words in str(caught.value)
