"""Networks in study files: their options, and which third-party code a study may run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import infodis_stats as ids
from estimators import InputError
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.design import scenario
from infodis_stats.studies.study_file import read_study
from tests.support.chat_checkpoints import write_chat_checkpoint
from tests.support.command_line import run

HEAD = """\
title = "A network"
seed = 3
passes = [4]
replicates = 8
reference = "time-free"
estimators = ["time-free", "uniform-count+stratified"]
truth_passes = 64
targets = [{ name = "texts", sequences = ["C D E", "F G"] }]
"""
CHECKPOINT = 'model = { name = "hf:checkpoint", trust_remote_code = true }\n'
OWN = 'model = { name = "study_models:letters" }\n'
MODULE = """
import numpy as np
import torch

class Letters:
    longest = 20
    def token_nll(self, tokens, masked):
        visible = torch.where(masked, 0, tokens).sum(dim=1, keepdim=True)
        return masked * (1.0 + 0.1 * ((tokens + visible) % 5))
    def encode(self, text):
        return np.array([ord(letter) - ord("A") for letter in text.split()], dtype=np.int64)
    def decode(self, tokens):
        return " ".join(chr(token + ord("A")) for token in tokens)
    def describe(self):
        return "letters"
    def fingerprint(self):
        return "1234"
    def conventions(self):
        return {"temperature": 1.0}

class Nameless:
    longest = 20
    token_nll, encode, decode = Letters.token_nll, Letters.encode, Letters.decode

letters = Letters()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a checkpoint and a module of models, which is not on the search path."""
    write_chat_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "study_models.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
    yield tmp_path
    sys.modules.pop("study_models", None)


def study(folder: Path, text: str) -> Path:
    path = folder / "study.toml"
    path.write_text(text)
    return path


@pytest.fixture
def loaded(monkeypatch):
    """Record what is loaded, instead of loading it."""
    calls = []

    def load(name, **options):
        calls.append((name, options))
        return ids.load_model("austen")

    monkeypatch.setattr(scenario, "load_model", load)
    return calls


ALL_OPTIONS = """
[model]
name = "hf:checkpoint"
family = "dream"
tokenizer = "checkpoint"
mask_id = 3
before = [0, 1]
after = []
shifted = true
exclude_mask = false
guidance = 1
block_size = 4
dtype = "bfloat16"
device_map = "auto"
revision = "main"
"""


def test_a_network_has_the_options_of_load_model(folder, loaded):
    spec, _ = read_study(study(folder, HEAD + ALL_OPTIONS))
    scenario.load_network(spec.model, "cpu", trust_remote_code=True)
    ((name, options),) = loaded
    assert name == f"hf:{folder / 'checkpoint'}"
    assert options == {
        "device": "cpu",
        "trust_remote_code": True,
        "allow_import": False,
        "family": "dream",
        "tokenizer": str(folder / "checkpoint"),
        "mask_id": 3,
        "before": (0, 1),
        "after": (),
        "shifted": True,
        "exclude_mask": False,
        "guidance": 1.0,
        "block_size": 4,
        "dtype": "bfloat16",
        "device_map": "auto",
        "revision": "main",
    }
    spec, _ = read_study(study(folder, HEAD + 'model = { name = "austen" }\n'))
    scenario.load_network(spec.model, "cpu")
    assert loaded[1] == ("austen", {"device": "cpu", "trust_remote_code": False, "allow_import": False})


def test_options_change_the_numbers_and_are_stored(folder):
    trees = {
        options: ids.run_study(
            study(folder, HEAD + f'model = {{ name = "hf:checkpoint", trust_remote_code = true{options} }}\n'),
            trust_remote_code=True,
        )
        for options in ("", ", before = [1], guidance = 0.5")
    }
    values = [tree["truth"]["truth"].values for tree in trees.values()]
    assert (np.abs(values[0] - values[1]) > 1e-3).all()
    for tree, (before, guidance) in zip(trees.values(), (([], 0.0), ([1], 0.5)), strict=True):
        facts = tree["provenance"].attrs
        ((model, stated),) = json.loads(facts["model_conventions"]).items()
        assert model == facts["model"]
        assert (stated["family"], stated["before"], stated["guidance"]) == ("llada", before, guidance)
        page = render_markdown(document_of(tree)).replace("\\", "")
        assert f"Conventions of {model}: family llada, mask_id 24"[:-3] in page
    assert "forward_passes" in trees[""]["provenance"].attrs
    # Under guidance each pass counts twice.
    spent = [int(tree["draws"]["forward_passes"].sum()) for tree in trees.values()]
    assert spent[1] == 2 * spent[0]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("mask_id = -1", "line 11: model.mask_id must be at least 0, got -1"),
        ('before = "0"', "line 11: model.before must be a list, got '0'"),
        ("before = [true]", "model.before.0 must be an integer, got True"),
        ("shifted = 1", "model.shifted must be true or false, got 1"),
        ("guidance = -0.5", "model.guidance must be at least 0, got -0.5"),
        ("device_map = { layer = 0 }", "model.device_map must be a string"),
        ("maskid = 3", "unknown key 'model.maskid'; did you mean 'mask_id'?"),
    ],
)
def test_options_of_the_wrong_type_are_one_sentence(folder, line, sentence):
    with pytest.raises(InputError) as caught:
        read_study(study(folder, HEAD + f'[model]\nname = "austen"\n{line}\n'))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_of_modules_are_not_taken_for_files(folder):
    (folder / "letters").touch()
    spec, _ = read_study(study(folder, HEAD + OWN))
    assert spec.model.name == "study_models:letters"


def test_a_file_cannot_permit_code_that_is_stored_with_weights(folder, capsys, monkeypatch):
    """A file can only ask for it; the person who runs the study permits it."""
    path = study(folder, HEAD + CHECKPOINT)
    with monkeypatch.context() as patch:
        patch.setattr(scenario, "load_model", lambda *_, **__: pytest.fail("nothing is loaded before the refusal"))
        with pytest.raises(InputError, match=r"a file cannot permit by itself: .* with trust_remote_code=True$"):
            ids.run_study(path)
        status, _, err = run(capsys, "study", path, "--out", folder / "out")
        assert (status, err.count("\n")) == (2, 1)
        assert err.endswith("if you trust that code, run the study with --trust-remote-code\n")
    assert ids.run_study(path, trust_remote_code=True)["truth"]["truth"].notnull().all()
    assert run(capsys, "study", path, "--out", folder / "out", "--trust-remote-code")[0] == 0


def test_permission_is_needed_whether_the_file_asks_or_not(folder, capsys):
    path = study(folder, HEAD + 'model = { name = "hf:checkpoint" }\n')
    status, _, err = run(capsys, "study", path, "--out", folder / "out")
    assert status == 2
    assert "is run only with --trust-remote-code" in err
    assert ids.run_study(path, trust_remote_code=True)["truth"]["truth"].notnull().all()


def test_own_modules_are_imported_only_with_permission(folder, capsys):
    path = study(folder, HEAD + OWN)
    status, _, err = run(capsys, "study", path, "--out", folder / "out")
    assert status == 2
    assert "'study_models:letters' is a module of your own, which is imported only with --allow-import" in err
    assert "study_models" not in sys.modules
    status, _, err = run(capsys, "study", path, "--out", folder / "out", "--allow-import")
    assert (status, err) == (0, "")
    page = (folder / "out" / "report.md").read_text().replace("\\", "")
    assert "Conventions of letters 1234: temperature 1" in page


def test_a_model_whose_changes_a_ledger_cannot_notice_is_refused(folder):
    sys.path.insert(0, str(folder))
    path = study(folder, HEAD + OWN.replace("letters", "Nameless"))
    with pytest.raises(
        InputError, match="'study_models:Nameless' has no describe, fingerprint: a model that scores text"
    ):
        ids.run_study(path, allow_import=True)


@pytest.mark.slow
def test_workers_import_and_run_what_the_study_may(folder, capsys):
    """Spawned processes load the networks anew, with the same permissions; the numbers are those of one process."""
    text = """
kind = "frontier"
title = "Two networks"
seed = 3
passes = [4, 6]
replicates = 8
estimators = ["time-free", "uniform-count"]
rivals = ["time-free", "uniform-count"]
[[subjects]]
name = "own"
model = { name = "study_models:letters" }
targets = [{ name = "texts", sequences = ["C D E", "F G H"] }]
[[subjects]]
name = "hub"
model = { name = "hf:checkpoint", trust_remote_code = true, before = [1] }
targets = [{ name = "texts", sequences = ["C D E", "F G H"] }]
"""
    path = study(folder, text)
    permitted = ("--trust-remote-code", "--allow-import")
    status, _, err = run(capsys, "study", path, "--out", folder / "two", "--workers", 2, *permitted)
    assert (status, err) == (0, "")
    alone = ids.run_study(path, trust_remote_code=True, allow_import=True)
    with ids.read_store(folder / "two" / "study.nc") as stored:
        np.testing.assert_allclose(stored["draws"]["estimate"], alone["draws"]["estimate"], rtol=1e-6)
        assert stored["provenance"].attrs["model_conventions"] == alone["provenance"].attrs["model_conventions"]
    assert len(json.loads(alone["provenance"].attrs["model_conventions"])) == 2
