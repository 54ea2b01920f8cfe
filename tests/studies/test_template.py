"""Study files to start from run as they are, and their optional keys can be set to the defaults that they show."""

import json
import re

import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import DenoiserConfig, UniformDenoiser
from infodis_stats.results.validity import held
from infodis_stats.studies import records_template, study_template
from infodis_stats.studies.kinds import kinds_by_name
from infodis_stats.studies.study_file import parse_study
from tests.support.command_line import run
from tests.support.noised_checkpoints import write_noised

KINDS = list(kinds_by_name())
RECORDS = [
    {"id": "a", "prompt": "It is a truth ", "response": "universally acknowledged"},
    {"id": "b", "prompt": "It is a truth ", "response": "seldom told"},
    {"response": "She was happy."},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "my.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
    pairs = [{"prompt": "It is a ", "first": "truth", "second": "lie"}]
    (tmp_path / "texts" / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    (tmp_path / "reads.fasta").write_text(">a\nACGT\n>b\nGATTACA\n")
    (tmp_path / "law.toml").write_text('[law]\nkind = "markov-chain"\norder = 1\nseed = 5\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


SLOW = ("corpora",)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in KINDS]
)
def test_a_template_runs_and_is_diagnosed(kind, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(study_template(kind))
    tree = ids.run_study(path)
    assert tree.attrs["kind"] == kind
    assert ids.diagnose(tree).verdicts
    assert ids.write_report(tree, tmp_path / "out").is_file()


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_explained_and_every_default_is_valid(kind):
    template = study_template(kind)
    name, spec = parse_study(template, "study.toml")
    uncommented = re.sub(r"^#(?=[\w-]+ = )", "", template, flags=re.MULTILINE)
    assert uncommented.count("\n") == template.count("\n")
    assert "\n#" in template.replace("\n# ", "\n")
    # Spelling out the defaults changes nothing.
    assert parse_study(uncommented, "study.toml")[1] == spec
    for key, field in name.schema.model_fields.items():
        assert re.search(rf"^# .*\n#?(\[+{key}\]+|{key} = )|^# \[*{key}\]*: ", template, flags=re.MULTILINE), key
        assert field.description


def test_control_a_wrong_default_would_be_noticed():
    template = study_template().replace("#level = 0.95", "#level = 0.9")
    assert template != study_template()
    uncommented = re.sub(r"^#(?=[\w-]+ = )", "", template, flags=re.MULTILINE)
    assert parse_study(uncommented, "study.toml")[1] != parse_study(template, "study.toml")[1]


def test_init_writes_a_file_that_the_study_command_runs(folder, capsys):
    status, out, err = run(capsys, "init")
    assert (status, err) == (0, "")
    assert out == "study.toml is written. Run it: infodis-stats study study.toml --out study\n"
    assert run(capsys, "study", "study.toml", "--out", "study")[0] == 0


def test_init_never_overwrites(folder, capsys):
    (folder / "mine.toml").write_text("my work")
    status, _, err = run(capsys, "init", "frontier", "--out", "mine.toml")
    assert (status, err.count("\n")) == (2, 1)
    assert "mine.toml exists already and is kept: choose another --out file" in err
    assert (folder / "mine.toml").read_text() == "my work"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["texts/my.jsonl"], "'texts/my.jsonl' is a file, not a kind of study: name your own texts with --records"),
        (["--records", "texts/my.jsonl", "--model", "austin"], "there is no model 'austin'; did you mean 'austen'?"),
        (["--records", "texts/my.jsonl", "--model", ""], "the study: model.name must not be empty"),
        (["--records", "texts/my.jsonl", "texts/my.jsonl"], "the names of targets must differ from one another"),
        (["fronteer"], "there is no kind of study 'fronteer'; did you mean 'frontier'?"),
        (["--out", "absent/study.toml"], "absent/study.toml cannot be written: No such file or directory"),
        (["--model", "austen"], "--model scores texts of your own: name them with --records"),
        (["--records", "absent.jsonl"], "absent.jsonl cannot be read"),
        (["--records", "-"], "a study reads its texts from files"),
        (["frontier", "--records", "reads.fasta"], "needs sequences of one length, not texts"),
        (["corpora", "--records", "reads.fasta"], "compares at least 2 files of texts, got 1"),
        (["blocks", "--records", "reads.fasta", "--model", "law.toml"], "a law has no blocks"),
        (["calibration", "--records", "texts/pairs.jsonl"], "pairs of texts are for a study of the kind 'comparison'"),
        (["--records", "texts/pairs.jsonl", "texts/my.jsonl"], "files of texts or files of pairs of texts, not both"),
    ],
)
def test_init_refuses_in_a_sentence(folder, capsys, arguments, sentence):
    status, _, err = run(capsys, "init", *arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert sentence in err
    assert not (folder / "study.toml").exists()


@pytest.mark.slow
def test_texts_of_the_user_are_scored_by_three_estimators(folder, capsys):
    """The file names the texts relative to its own folder, and its values are those of `estimate_texts`."""
    (folder / "studies").mkdir()
    arguments = ["init", "--records", "texts/my.jsonl", "--out", "studies/study.toml"]
    assert run(capsys, *arguments)[0] == 0
    assert 'records = "../texts/my.jsonl"' in (folder / "studies" / "study.toml").read_text()
    tree = ids.run_study("studies/study.toml")
    assert tree["draws"].sizes["estimator"] == 3
    records = ids.read_records("texts/my.jsonl")
    found = ids.estimate_texts(ids.load_model("austen"), records, passes=16, replicates=64, seed=4)
    truth = tree["truth"].to_dataset()
    assert (abs(found["nll"].values - truth["truth"].values) < 5 * (found["nll_se"] + truth["truth_se"].values)).all()


@pytest.mark.parametrize(
    ("kind", "records"),
    [
        ("comparison", ["reads.fasta"]),
        ("comparison", ["pairs.txt"]),
        ("calibration", ["reads.fasta"]),
        ("corpora", ["reads.fasta", "others.txt"]),
    ],
    ids=["comparison", "pairs", "calibration", "corpora"],
)
def test_a_score_model_gets_the_estimators_that_suit_it(folder, kind, records):
    torch.manual_seed(0)
    size = {"length": 8, "layers": 1, "width": 8, "heads": 2}
    UniformDenoiser(DenoiserConfig("ACGT", **size, noise="uniform")).save(folder / "uniform.safetensors")
    (folder / "others.txt").write_text("TAGA\nTTAC\n")
    (folder / "pairs.txt").write_text('{"first": "GATTACA", "second": "GATTAGA"}\n')
    text = records_template(kind, records, "uniform.safetensors")
    assert "time-" not in "".join(line for line in text.splitlines() if not line.startswith("#"))
    (folder / "study.toml").write_text(re.sub(r"(?m)^(draws|#?truth_passes) = \d+$", r"\1 = 20", text))
    tree = ids.run_study("study.toml")
    assert json.loads(tree["provenance"].attrs["not_run"]) == []
    assert "little-noise" in [caution.key for caution in held(tree["summary"]["cautions"])]
    assert ids.write_report(tree, folder / "out").is_file()


def test_a_checkpoint_for_mixed_noise_gets_the_estimators_that_suit_it(folder):
    pytest.importorskip("transformers")
    (folder / "mixed").mkdir()
    write_noised(folder / "mixed", "gidd", p_uniform=0.25)
    text = records_template("comparison", ["reads.fasta"], "hf:mixed")
    assert '"score-entropy(mixed-0.25,polynomial)+stratified"' in text


def test_control_a_model_of_masks_keeps_its_estimators(folder):
    assert "score-entropy" not in records_template("comparison", ["texts/my.jsonl"], "austen")
    assert 'reference = "auto"' in records_template("comparison", ["texts/my.jsonl"], "austen-uniform")


def test_files_of_one_name_are_named_by_their_paths(folder):
    (folder / "my.jsonl").write_text((folder / "texts" / "my.jsonl").read_text())
    template = records_template("comparison", ["texts/my.jsonl", "my.jsonl"], "austen")
    groups = parse_study(template, folder / "study.toml")[1].groups
    assert [group.name for group in groups] == ["texts/my.jsonl", "my.jsonl"]


def test_tables_that_may_be_added_are_shown_as_toml_has_them():
    template = study_template("frontier")
    assert "\n# [subjects.model]: " in template
    assert "\n# [[subjects.pairs]]: " in template


@pytest.mark.parametrize(
    ("kind", "records", "model"),
    [
        ("comparison", ["texts/pairs.jsonl"], "austen"),
        ("corpora", ["texts/my.jsonl", "reads.fasta"], "austen"),
        ("comparison", ["reads.fasta"], "law.toml"),
    ],
)
def test_texts_fit_into_other_studies(folder, kind, records, model):
    (folder / "study.toml").write_text(records_template(kind, records, model))
    tree = ids.run_study("study.toml")
    assert tree.attrs["kind"] == kind
    assert ids.write_report(tree, folder / "out").is_file()
