"""Studies written in Python: the same numbers as from a file, on any model in memory."""

import json
import pickle
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.laws import Law
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.design.laws import law_table, read_law
from infodis_stats.studies.design.toml_text import toml_text
from infodis_stats.studies.kinds import kinds_by_name
from tests.support.letters import Letters
from tests.support.small_studies import SMALL_CALIBRATION, SMALL_FRONTIER, SMALL_INFORMATION, SMALL_RATIO, SMALL_STUDY

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
KEYS = {
    "title": "From Python",
    "seed": 3,
    "passes": [4, 8],
    "replicates": 16,
    "estimators": ["time-free", "uniform-count+stratified"],
    "reference": "time-free",
}
DRAWN = {
    "law": {"kind": "markov-chain", "order": 1, "seed": 5},
    "targets": [{"name": "short", "count": 3, "length": 5}],
}
TEXTS = {"targets": [{"name": "texts", "sequences": ["ACGT", "GATTACA"]}]}


class Tokens:
    """A model of tokens without texts or a fingerprint: a law's conditionals."""

    def token_nll(self, tokens, masked):
        return LAW.token_nll(tokens, masked)


def numbers(tree):
    return tree["draws"]["estimate"]


@pytest.mark.parametrize("text", [SMALL_STUDY, SMALL_RATIO, SMALL_FRONTIER, SMALL_INFORMATION, SMALL_CALIBRATION])
def test_a_study_from_python_is_that_of_its_file(text, tmp_path):
    (tmp_path / "study.toml").write_text(text)
    spec = ids.Spec(**tomllib.loads(text))
    assert tomllib.loads(spec.text) == tomllib.loads(text)
    if text != SMALL_CALIBRATION:
        file, python = ids.run_study(tmp_path / "study.toml"), ids.run_study(spec)
        xr.testing.assert_identical(file["draws"].to_dataset(), python["draws"].to_dataset())


def test_a_dictionary_a_spec_and_tuples_arrays_and_laws_are_the_same():
    spec = ids.Spec(**KEYS, **DRAWN)
    other = KEYS | {
        "passes": np.array([4, 8]),
        "estimators": tuple(KEYS["estimators"]),
        "seed": np.int64(3),
        "level": None,
    }
    assert spec == ids.Spec(**other, **DRAWN)
    expected = numbers(ids.run_study(spec))
    xr.testing.assert_identical(numbers(ids.run_study(KEYS | DRAWN)), expected)
    given = ids.run_study(KEYS | DRAWN | {"law": LAW})
    np.testing.assert_array_equal(numbers(given), expected)
    assert "given by initial and transition" in given["provenance"].attrs["laws"]


@pytest.mark.parametrize(
    "law",
    [
        ids.TableLaw(["AC", "CA"], [0.25, 0.75]),
        ids.MarkovChain.random(order=2, alphabet="ABC", seed=1),
        ids.MarkovChain.random(order=0, alphabet="AB", seed=1),
        ids.HiddenMarkov.random(3, "AB", seed=2),
        ids.CodeLaw(6, 3, "copies", "ABC"),
        ids.IndependentLaw.random(4, "ABC", seed=1),
    ],
    ids=lambda law: law.describe(),
)
def test_a_law_survives_its_table(law, tmp_path):
    (tmp_path / "law.toml").write_text(toml_text({"law": law_table(law)}))
    read = read_law(tmp_path / "law.toml")
    tokens = law.sample(5, length=law.length or 6, seed=3)
    np.testing.assert_array_equal(read.nll(tokens), law.nll(tokens))
    assert read == law or law.order == 0  # which is written as one of order 1


def test_a_law_of_another_type_is_refused():
    class Own(Law):
        describe = _arrays = _posterior = _bytes_per_row = _draw = lambda self, *_: None

    with pytest.raises(ids.InputError, match="cannot hold a law of the type Own: give it to run_study as model="):
        ids.Spec(**KEYS, law=Own("AB"), targets=DRAWN["targets"])


def test_a_model_of_tokens_scores_the_sequences_of_a_law():
    tree = ids.run_study(ids.Spec(**KEYS, **DRAWN), model=Tokens())
    tokens = LAW.sample(3, length=5, seed=0)
    np.testing.assert_allclose(tree["truth"]["law_value"], LAW.nll(tokens), rtol=1e-12)
    np.testing.assert_allclose(tree["truth"]["truth"], LAW.nll(tokens), rtol=1e-5)  # all masks, in float32 or better
    facts = tree["provenance"].attrs
    assert facts["model"] == "Tokens"
    assert facts["model_in_memory"].endswith("it has no fingerprint, so its parameters are not recorded")
    page = render_markdown(document_of(tree)).replace("\\", "")
    assert "The model is an object of the type" in page
    assert 'Law: kind = "markov-chain", alphabet = "ACGT", order = 1, seed = 5, concentration = 1.0' in page


def test_a_text_model_scores_texts_in_every_kind(tmp_path):
    model = Letters()
    tree = ids.run_study(KEYS | TEXTS, model=model)
    records = [ids.Record("a", "", "ACGT"), ids.Record("b", "", "GATTACA")]
    found = ids.estimate_texts(model, records, passes=64, replicates=64, seed=9)
    gap = abs(found["nll"].values - tree["truth"]["truth"].values)
    assert (gap < 5 * np.hypot(found["nll_se"].values, tree["truth"]["truth_se"].values) + 1e-6).all()
    assert "has no fingerprint" not in tree["provenance"].attrs["model_in_memory"]
    (tmp_path / "study.toml").write_text(toml_text(KEYS | TEXTS))
    xr.testing.assert_identical(numbers(ids.run_study(tmp_path / "study.toml", model=model)), numbers(tree))
    frontier = tomllib.loads(SMALL_FRONTIER)
    frontier["subjects"] = [
        {"name": "texts", "targets": [{"name": "a", "sequences": ["ACGT", "TTTT"]}]},
        frontier["subjects"][0],
    ]
    tree = ids.run_study(frontier, model=model)
    assert tree["provenance"].attrs["model"].startswith("letters")
    corpora = kinds_by_name()["corpora"].example | {
        "corpora": [{"name": "a", "sequences": ["ACGT", "TTTT"], "maps": 1}, {"name": "b", "sequences": ["CC", "A"]}],
        "reference": "a",
        "model": None,
    }
    tree = ids.run_study(corpora, model=model)
    assert ids.write_report(tree, tmp_path / "out").is_file()


def test_a_study_of_a_model_is_kept_and_resumed(tmp_path, monkeypatch):
    spec, model = ids.Spec(**KEYS, **TEXTS), Letters()
    first = ids.run_study(spec, model=model, ledger=tmp_path / "ledger")
    calls = []
    monkeypatch.setattr(Letters, "token_nll", lambda *_: calls.append(1))
    again = ids.run_study(spec, model=model, ledger=tmp_path / "ledger")
    assert not calls
    xr.testing.assert_identical(numbers(first), numbers(again))
    page = ids.write_report(first, tmp_path / "out")
    with ids.read_store(page.parent) as stored:
        assert stored["provenance"].attrs["spec"] == spec.text
        assert ids.write_report(stored.load(), tmp_path / "other").read_bytes() == page.read_bytes()


def test_control_a_model_with_other_numbers_is_not_resumed(tmp_path):
    spec = ids.Spec(**KEYS, **TEXTS)
    first = ids.run_study(spec, model=Letters(), ledger=tmp_path / "ledger")
    other = ids.run_study(spec, model=Letters(scale=2.0), ledger=tmp_path / "ledger")
    assert not np.allclose(numbers(first), numbers(other))


@pytest.mark.slow
def test_workers_get_a_copy_of_the_model():
    tree = ids.run_study(ids.Spec(**KEYS, **TEXTS), model=Letters(), workers=2)
    np.testing.assert_allclose(numbers(tree), numbers(ids.run_study(KEYS | TEXTS, model=Letters())), rtol=1e-6)


class Unpicklable(Letters):
    def __reduce__(self):
        raise pickle.PicklingError("it holds a file")


@pytest.mark.parametrize(
    ("keys", "options", "sentence"),
    [
        (TEXTS, {}, "the study names neither a law nor a model"),
        (TEXTS, {"model": "austen"}, "name 'austen' in the [model] table of the study instead"),
        (
            TEXTS,
            {"model": 5},
            "must have the method token_nll(tokens, masked), -log p of each masked token in nats, got int",
        ),
        (TEXTS, {"model": Letters}, "must have the method token_nll"),
        (
            TEXTS,
            {"model": Tokens()},
            "'Tokens' has no longest, encode, decode, describe, fingerprint: a model that scores",
        ),
        (DRAWN, {"model": Tokens(), "ledger": "here"}, "needs a model with a method fingerprint(), which changes"),
        (
            TEXTS,
            {"model": Unpicklable(), "workers": 2},
            "Unpicklable cannot be pickled (it holds a file): use workers=1",
        ),
        (TEXTS | {"model": {"name": "austen"}}, {"model": Letters()}, "leave out either [model] or model="),
        (DRAWN, {"workers": "2"}, "workers must be a positive integer, got '2'"),
        (DRAWN, {"workers": 0}, "workers must be at least 1, got 0"),
        (DRAWN, {"ledger": 5}, "ledger must be the path of a folder, got int"),
        (DRAWN, {"scheduler": 5}, "scheduler must be an address or the path of a scheduler file, got int"),
        (DRAWN, {"batch_size": "8"}, "batch_size must be"),
        (DRAWN, {"device": "gpu"}, "device must be a torch device such as 'cpu' or 'cuda:0', got 'gpu'"),
    ],
)
def test_arguments_that_cannot_work_are_one_sentence(keys, options, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ids.InputError) as caught:
        ids.run_study(KEYS | keys, **options)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (5, "a study is the path of a study file, a Spec or a dictionary of its keys, got int"),
        (None, "a study is the path of a study file, a Spec or a dictionary of its keys, got NoneType"),
        ({5: 1}, "the keys of a study must be strings, got 5"),
        (KEYS | {"pases": 1} | DRAWN, "Spec: unknown key 'pases'; did you mean 'passes'?"),
        (
            {key: KEYS[key] for key in ("title", "passes")} | DRAWN,
            "Spec has 4 problems: (1) key 'estimators' is missing",
        ),
        (
            KEYS | DRAWN | {"level": {1, 2}},
            "Spec.level must be text, a number, true or false, a list or a dictionary of",
        ),
        (KEYS | DRAWN | {"title": "\ud800"}, "Spec.title must consist of Unicode symbols"),
        (KEYS | DRAWN | {"seed": 3.0}, "Spec: seed must be an integer, got 3.0"),
        (KEYS | DRAWN | {"law": {5: 1}}, "Spec.law: keys must be strings, got 5"),
        (KEYS | DRAWN | {"kind": "fronteer"}, "Spec: kind must be 'comparison', "),
    ],
)
def test_a_study_that_is_none_is_one_sentence(spec, sentence):
    with pytest.raises(ids.InputError) as caught:
        ids.run_study(spec)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_named_relative_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.txt").write_text("ACGT\n")
    monkeypatch.chdir(tmp_path)
    tree = ids.run_study(KEYS | {"law": LAW, "targets": [{"name": "mine", "records": Path("mine.txt")}]})
    np.testing.assert_allclose(tree["truth"]["truth"], LAW.nll(LAW.encode(["ACGT"])))


def test_laws_are_named_with_their_defaults(tmp_path):
    tree = ids.run_study(KEYS | DRAWN | {"law": {"kind": "hidden-markov"}})
    (law,) = json.loads(tree["provenance"].attrs["laws"])
    assert law == 'kind = "hidden-markov", alphabet = "ACGT", states = 4, seed = 0, concentration = 1.0, stay = 0.95'


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({1: 2}, "the keys of a study must be strings, got 1"),
        (SMALL_STUDY, "got a text of several lines: write the text to a file, or give the dictionary that"),
        (KEYS | TEXTS, "the study names neither a law nor a model: give run_study a model in memory as model="),
    ],
)
def test_what_run_study_cannot_take_is_said_in_a_sentence(spec, sentence):
    with pytest.raises(ids.InputError) as caught:
        ids.run_study(spec)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("switch", ["trust_remote_code", "allow_import", "show_progress"])
@pytest.mark.parametrize("value", ["no", 0, None])
def test_switches_are_true_or_false(switch, value):
    """A text such as "no" would permit what it seems to forbid."""
    with pytest.raises(ids.InputError, match=f"^{switch} must be True or False, got {value!r}$"):
        ids.run_study(KEYS | DRAWN, **{switch: value})


def test_messages_name_a_study_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(SMALL_STUDY.replace("seed = 3", "sed = 3"))
    with pytest.raises(ids.InputError, match=r"^study\.toml, line 2: unknown key 'sed'"):
        ids.run_study("study.toml")
    model = {"model": {"name": "austen"}}
    with pytest.raises(ids.InputError, match=r"^Spec names a model already"):
        ids.run_study(KEYS | TEXTS | model, model=Letters())


def test_texts_that_a_model_cannot_take_are_named_with_their_source(tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"response": "ACGT"}\n{"response": "ACGTACGTACGTACGTACGTACGT"}\n')
    records = [{"name": "a", "records": str(tmp_path / "bad.jsonl")}]
    listed = [{"name": "a", "sequences": ["ACGT", "ACGTACGTACGTACGTACGTACGT"]}]
    corpora = kinds_by_name()["corpora"].example | {
        "corpora": [
            {"name": "a", "sequences": ["ACGT"]},
            {"name": "b", "sequences": ["AC", "ACGTACGTACGTACGTACGTACGT"]},
        ],
        "reference": "a",
        "model": None,
    }
    for spec, source in (
        (KEYS | {"targets": records}, r"bad\.jsonl, 'line 2'"),
        (KEYS | {"targets": listed}, "group 'a', 'sequence 1'"),
        (corpora, "corpus 'b', 'text 2'"),
    ):
        with pytest.raises(ids.InputError, match=source):
            ids.run_study(spec, model=Letters())
