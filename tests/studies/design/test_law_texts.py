"""Texts of the user's own under a law: any format, unequal lengths, exact values."""

import json

import numpy as np
import pytest

import infodis_stats as ids

HEAD = """\
title = "My sequences"
seed = 3
passes = [4, 8]
replicates = 16
reference = "time-free"
estimators = ["time-free", "uniform-count+stratified", "exhaustive"]
[law]
kind = "markov-chain"
order = 1
alphabet = "ACGT"
seed = 5
"""
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
TEXTS = ["ACGT", "GATTACA", "CC"]
FILES = {
    "a.txt": "\n".join(TEXTS),
    "a.fasta": "".join(f">seq {index}\n{text}\n" for index, text in enumerate(TEXTS)),
    "a.jsonl": "\n".join(json.dumps({"response": text}) for text in TEXTS),
}
TARGETS = '[[targets]]\nname = "mine"\n'


@pytest.fixture
def run(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    def study(text):
        (tmp_path / "study.toml").write_text(text)
        return ids.run_study(tmp_path / "study.toml")

    return study


def exact(texts):
    return [LAW.nll(LAW.encode([text]))[0] for text in texts]


@pytest.mark.parametrize("name", FILES)
def test_records_have_exact_values_whatever_their_format(run, name):
    tree = run(HEAD + TARGETS + f'records = "{name}"\n')
    listed = run(HEAD + TARGETS + f"sequences = {TEXTS}\n")
    np.testing.assert_allclose(tree["truth"]["truth"], exact(TEXTS), rtol=1e-12)
    np.testing.assert_array_equal(tree["draws"]["estimate"], listed["draws"]["estimate"])
    assert (tree["truth"]["truth_se"] == 0).all()
    short = tree["draws"]["estimate"].sel(estimator="exhaustive", passes=4).isel(item=2)
    np.testing.assert_allclose(short, exact(["CC"])[0], rtol=1e-12)


def test_control_another_law_has_other_values(run):
    tree = run(HEAD.replace("seed = 5", "seed = 6") + TARGETS + 'records = "a.fasta"\n')
    assert (abs(tree["truth"]["truth"] - exact(TEXTS)) > 1e-3).any()


def test_prompts_are_given(run, tmp_path):
    records = [{"prompt": "GA", "response": "TTACA"}, {"response": "CC"}]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, records)))
    tree = run(HEAD + TARGETS + 'records = "prompts.jsonl"\n')
    whole, part = exact(["GATTACA", "GA"])
    np.testing.assert_allclose(tree["truth"]["truth"], [whole - part, *exact(["CC"])], rtol=1e-12)
    assert tree["truth"]["length"].values.tolist() == [5, 2]


def test_drawn_groups_and_records_share_a_study(run):
    tree = run(HEAD + TARGETS + 'records = "a.txt"\n[[targets]]\nname = "drawn"\ncount = 2\nlength = 6\n')
    assert tree["summary"]["group"].values.tolist() == ["mine", "drawn"]
    assert ids.diagnose(tree).verdicts


def test_pairs_have_exact_log_ratios(run, tmp_path):
    (tmp_path / "pairs.jsonl").write_text(json.dumps({"prompt": "GA", "first": "TTACA", "second": "CC"}))
    head = HEAD.replace('"time-free"\n', '"coupled time-free"\ncontrasts = ["coupled"]\n').replace(', "exhaustive"', "")
    tree = run(head + '[[pairs]]\nname = "mine"\nrecords = "pairs.jsonl"\n')
    first, second = exact(["GATTACA", "GACC"])
    np.testing.assert_allclose(tree["truth"]["truth"], [second - first], rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "law", "sentence"),
    [
        (
            ("b.txt", "ACGT\nACNT\n"),
            None,
            "b.txt, record 'line 2', position 2: symbol 'N' is outside the alphabet ACGT",
        ),
        (("b.fasta", ">one\nAC\n>two\nAX\n"), None, "b.fasta, record 'two', position 1: symbol 'X' is outside"),
        (
            ("b.txt", "ACGT\nAC\n"),
            'kind = "table"\nlength = 4\ncount = 9\n',
            "record 'line 2': sequences must have length 4",
        ),
        (
            ("b.jsonl", '{"response": "AB"}\n{"prompt": "C", "response": "A"}\n'),
            'kind = "table"\nalphabet = "ABC"\nsequences = ["AB", "BA"]\nprobabilities = [0.5, 0.5]\n',
            "b.jsonl, record 'line 2': the context has probability 0",
        ),
    ],
)
def test_errors_name_the_file_and_the_record(run, tmp_path, content, law, sentence):
    name, text = content
    (tmp_path / name).write_text(text)
    head = HEAD if law is None else HEAD.partition("[law]")[0] + "[law]\n" + law
    with pytest.raises(ids.InputError) as caught:
        run(head + TARGETS + f'records = "{name}"\n')
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_listed_sequences_name_their_group(run):
    with pytest.raises(
        ids.InputError, match="group 'mine', sequence 1, position 1: symbol 'N' is outside the alphabet"
    ):
        run(HEAD + TARGETS + 'sequences = ["AC", "AN"]\n')
    with pytest.raises(ids.InputError, match="group 'mine', sequence 1 has 2 symbols, of which 2 are given: none is"):
        run(HEAD + TARGETS + 'context = 2\nsequences = ["ACG", "AC"]\n')


def test_impossible_sequences_are_named_and_left_out(run, tmp_path):
    (tmp_path / "b.txt").write_text("AB\nAA\n")
    law = '[law]\nkind = "table"\nalphabet = "AB"\nsequences = ["AB", "BA"]\nprobabilities = [0.5, 0.5]\n'
    tree = run(HEAD.partition("[law]")[0] + law + TARGETS + 'records = "b.txt"\n')
    assert list(json.loads(tree["provenance"].attrs["failed"])) == ["mine/1"]
    np.testing.assert_allclose(tree["truth"]["truth"], [np.log(2)])
