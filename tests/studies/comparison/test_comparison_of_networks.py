"""Comparisons under a network: its own value from all masks or a long run, next to the value under the law."""

import json
from pathlib import Path

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Exhaustive
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.design.reference_values import long_run
from infodis_stats.studies.design.scenario import Subject, load_network
from infodis_stats.studies.design.target_sets import make_groups
from infodis_stats.studies.study_file import read_study

HEAD = """\
title = "A network"
seed = 3
passes = [4, 16]
replicates = 16
reference = "time-free"
estimators = ["time-free", "uniform-count+stratified", "exhaustive"]
truth_passes = 512

[model]
name = "tiny.safetensors"
"""
ON_A_LAW = """
[law]
kind = "markov-chain"
order = 1
seed = 5

[[targets]]
name = "drawn"
count = 3
length = 6
context = 2
"""
TEXTS = '\n[[targets]]\nname = "texts"\nrecords = "records.jsonl"\n'
RECORDS = [
    {"id": "short", "prompt": "GAT", "response": "TACA"},
    {"id": "long", "prompt": "", "response": "GATTACA GATTACA GATTACA"},
]
PAIRS = [{"id": "one", "prompt": "GA", "first": "TTACA", "second": "TTA"}]


@pytest.fixture
def folder(tmp_path, network_file):
    (tmp_path / "tiny.safetensors").write_bytes(network_file.read_bytes())
    for name, entries in (("records", RECORDS), ("pairs", PAIRS)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, entries)))
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.fixture
def on_records(folder):
    return write(folder, HEAD + TEXTS)


def test_short_targets_use_all_masks_and_long_ones_a_long_run(folder, on_records):
    network = ids.load_model(folder / "tiny.safetensors")
    tree = ids.run_study(on_records)
    truth = tree["truth"].to_dataset()
    assert truth["length"].values.tolist() == [4, 23]
    tokens, given = network.encode("GATTACA"), np.arange(7) < 3
    exact = Exhaustive().sample(network, [tokens], passes=15, replicates=1, rng=0, context=[given])[0, 0]
    assert truth["truth"].values[0] == pytest.approx(exact, rel=1e-6)
    assert truth["truth_se"].values[0] == pytest.approx(1e-6 * exact, rel=1e-3)
    long = truth["truth_se"].values[1]
    reference = ids.estimate_texts(network, [ids.Record("long", "", RECORDS[1]["response"])], passes=64, replicates=32)
    gap = truth["truth"].values[1] - reference["nll"].item()
    assert 0 < long < 0.05 * truth["truth"].values[1]
    assert abs(gap) < 4.5 * np.hypot(long, reference["nll_se"].item())
    assert abs(gap) > 0  # a separate run


def test_the_long_run_shares_no_random_numbers_with_the_estimates(folder, on_records):
    """The long run is 16 replicates of 32 passes; the same estimator with these settings draws different numbers."""
    text = on_records.read_text().replace("passes = [4, 16]", "passes = [32]", 1)
    tree = ids.run_study(write(folder, text))
    model = subject(on_records)
    cell = long_run(make_groups(model, read_study(on_records)[0])[0].items[1], 512, model.model)
    assert (cell.sampler.name, cell.passes, cell.replicates) == ("uniform-count+stratified", 32, 16)
    mean = tree["draws"]["estimate"].sel(estimator="uniform-count+stratified", passes=32, item="texts/1").mean()
    assert abs(float(mean) - float(tree["truth"]["truth"][1])) > 1e-4


def subject(path):
    spec = read_study(path)[0]
    return Subject(None if spec.law is None else spec.law.build(), load_network(spec.model, "cpu"))


def test_exact_estimators_agree_with_the_value_of_the_network_up_to_rounding(on_records):
    summary = ids.run_study(on_records)["summary"].to_dataset()
    cell = summary.sel(estimator="exhaustive", passes=16, group="texts")
    assert cell["variance"].isnull()  # the longer text has too many masks
    assert (summary["bias_p"].sel(estimator=["time-free", "uniform-count+stratified"]) > 0.01).all()


def test_sequences_of_a_law_are_encoded_in_the_alphabet_of_the_network(folder):
    path = write(folder, HEAD + ON_A_LAW)
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    symbols = law.sample(3, length=6, seed=0)
    (group,) = make_groups(subject(path), read_study(path)[0])
    network = ids.load_model(folder / "tiny.safetensors")
    assert ["".join(network.decode(item.tokens)) for item in group.items] == law.decode(symbols)
    tree = ids.run_study(path)
    truth = tree["truth"].to_dataset()
    np.testing.assert_array_equal(truth["law_value"], law.nll(symbols, context=2))
    assert (np.abs(truth["truth"] - truth["law_value"]) > 1e-3).any()
    exact = tree["draws"].to_dataset()["estimate"].sel(estimator="exhaustive", passes=16)
    np.testing.assert_allclose(exact, truth["truth"].broadcast_like(exact), rtol=1e-5)
    summary = tree["summary"].to_dataset().sel(estimator="exhaustive", passes=16, interval="student-t")
    assert (summary["bias_p"] > 0.5).all()  # rounding is not a bias
    assert (summary["intervals"] == 0).all()  # points have no coverage test
    assert (summary["half_width"] == 0).all()


def test_the_report_compares_the_network_with_the_law(folder):
    tree = ids.run_study(write(folder, HEAD + ON_A_LAW))
    truth = tree["truth"].to_dataset()
    gap = (truth["truth"] - truth["law_value"]).values
    report = document_of(tree)
    (sentence,) = [one for one in report.answer if "network's value is above" in one]
    assert f"by {gap.mean():.3g}"[:6] in sentence
    assert "over 3 sequences" in sentence
    assert "learned" in report.figures
    page = render_html(report)
    assert "Learned against true" in page
    assert "512 passes" in page
    assert "figures/learned.svg" in render_markdown(report)


def test_pairs_of_texts_share_a_prompt(folder):
    text = HEAD.replace('"time-free", "uniform-count+stratified", "exhaustive"', '"time-free"')
    text = text.replace('reference = "time-free"', 'reference = "coupled time-free"\ncontrasts = ["coupled"]')
    tree = ids.run_study(write(folder, text + '\n[[pairs]]\nname = "pairs"\nrecords = "pairs.jsonl"\n'))
    network = ids.load_model(folder / "tiny.safetensors")
    sides = [ids.Record(side, "GA", PAIRS[0][side]) for side in ("first", "second")]
    first, second = ids.estimate_texts(network, sides, "exhaustive", passes=31, replicates=2)["nll"].values
    truth = tree["truth"].to_dataset()
    assert truth["truth"].item() == pytest.approx(second - first, abs=1e-4)
    assert truth["length"].item() == 5
    estimate = tree["draws"]["estimate"].sel(passes=16).values
    assert abs(estimate.mean() - truth["truth"].item()) < 5 * estimate.std() / 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + '[[targets]]\nname = "a"\nrecords = "absent.jsonl"\n', "absent.jsonl cannot be read"),
        (
            HEAD + '[[targets]]\nname = "a"\nsequences = ["GAXA"]\n',
            "group 'a', 'sequence 0': character 'X' at position 2",
        ),
        (HEAD + f'[[targets]]\nname = "a"\nsequences = ["{"G" * 41}"]\n', "41 tokens, but the model takes at most 40"),
        (HEAD + '[[targets]]\nname = "a"\ncount = 2\nlength = 3\n', "drawn from a law: give a [law]"),
        (
            HEAD + ON_A_LAW + TEXTS,
            "records.jsonl, record 'long', position 7: symbol ' ' is outside the alphabet ACGT",
        ),
        (HEAD + ON_A_LAW.replace("seed = 5", 'alphabet = "ACGX"'), "character 'X'"),
        (HEAD.replace("tiny", "absent") + ON_A_LAW, "there is no model at"),
        (
            HEAD.split("[model]", maxsplit=1)[0] + '[[targets]]\nname = "a"\nsequences = ["A"]\n',
            "give a [law], or a [model]",
        ),
        (
            HEAD + '[[targets]]\nname = "a"\nrecords = "records.jsonl"\ncontext = 1\n',
            "context cannot be combined with records",
        ),
        (
            HEAD + '[[targets]]\nname = "a"\nrecords = "records.jsonl"\ncount = 1\nlength = 1\n',
            "give either count and length",
        ),
    ],
)
def test_input_that_cannot_be_scored_is_rejected_in_one_sentence(folder, text, words):
    with pytest.raises(ids.InfodisError) as caught:
        ids.run_study(write(folder, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
