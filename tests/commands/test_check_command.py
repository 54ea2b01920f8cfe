"""The commands check and validate, on checkpoints as on the hub."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infodis_stats.models.huggingface import NOISED_FAMILIES
from tests.support.checkpoints import CHECKPOINTS, REFUSED, write_checkpoint
from tests.support.command_line import run


@pytest.mark.parametrize("name", ["llada", "dream", "mdlm"])
def test_check_prints_verdicts_and_the_options_to_load_with(name, capsys, tmp_path):
    write_checkpoint(tmp_path, name)
    options = [f"--{key.replace('_', '-')}={_value(value)}" for key, value in CHECKPOINTS[name].options.items()]
    model = (f"hf:{tmp_path}", "--trust-remote-code", *options)
    status, out, err = run(capsys, "check", *model, "--out", tmp_path / "page")
    assert (status, err) == (0, "")
    assert "attention is bidirectional" in out
    assert f"Load it with: --family {name} --mask-id 10" in out
    assert (tmp_path / "page" / "check.html").exists()
    status, out, _ = run(capsys, "check", *model, "--json")
    entry = json.loads(out)
    assert (entry["measured"]["attention"], entry["options"]["family"]) == ("bidirectional", name)
    status, out, _ = run(capsys, "validate", *model)
    assert status == 0
    assert "losses agree with the published convention" in out
    assert "| transformers " in out


def _value(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize("name", REFUSED)
def test_check_names_what_is_refused(name, capsys, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(dict(REFUSED[name])))
    status, out, err = run(capsys, "check", f"hf:{tmp_path}", "--trust-remote-code", "--mask-id", 10)
    assert status == 0, err
    assert "do not use: " in out
    status, _, err = run(capsys, "nll", f"hf:{tmp_path}", "-", "--trust-remote-code", "--mask-id", 10)
    assert status == 2
    score_model = f"is an option of masked models, but {str(tmp_path)!r} is a score model ({name})"
    assert (score_model if name in NOISED_FAMILIES else "cannot be used as a masked model") in err
    assert err.count("\n") == 1


def test_check_of_laws_and_own_models(capsys, tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "class Coin:\n"
        "    vocabulary = 2\n"
        "    def token_nll(self, tokens, masked):\n"
        "        return masked * torch.log(torch.tensor(2.0))\n"
        "coin = Coin()\n"
    )
    command = [sys.executable, "-m", "infodis_stats", "check", "own:coin"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "--allow-import" in refused.stderr
    allowed = subprocess.run([*command, "--allow-import"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert allowed.returncode == 0, allowed.stderr
    assert "they sum to 1.000000" in allowed.stdout
    law = Path(__file__).parents[2] / "reports" / "dna_markov.toml"
    status, out, _ = run(capsys, "check", law, "--json")
    assert (status, json.loads(out)["verdict"]) == (0, "fine")


def test_errors_are_one_sentence(capsys, tmp_path):
    status, _, err = run(capsys, "check", f"hf:{tmp_path}")
    assert (status, err.count("\n")) == (2, 1)
    assert "it has no config.json" in err
    status, _, err = run(capsys, "validate", "austen")
    assert (status, err) == (
        2,
        "infodis-stats: validate compares a Hugging Face model with its published convention; use check for others\n",
    )
    write_checkpoint(tmp_path, "llada")
    status, _, err = run(capsys, "validate", f"hf:{tmp_path}", "--trust-remote-code", "--guidance", 1)
    assert (status, err.count("\n")) == (2, 1)
    assert "without guidance" in err


@pytest.mark.parametrize("command", ["check", "validate"])
def test_options_that_a_check_does_not_use_do_not_exist(command, capsys, tmp_path):
    write_checkpoint(tmp_path, "llada")
    model = (f"hf:{tmp_path}", "--trust-remote-code")
    for option in (["--autocast", "bfloat16"], ["--compile"], ["--batch-size", "4"]):
        with pytest.raises(SystemExit):
            run(capsys, command, *model, *option)
        assert "unrecognized arguments" in capsys.readouterr().err
    status, _, err = run(capsys, command, *model, "--seed", -1)
    assert (status, err) == (2, "infodis-stats: --seed must be an integer of at least 0, got -1\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    status, _, err = run(capsys, command, *model, "--texts", empty)
    assert (status, err.count("\n")) == (2, 1)


def test_errors_of_a_model_are_verdicts(capsys, tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n"
        "class Broken:\n"
        "    vocabulary = 2\n"
        "    def token_nll(self, tokens, masked):\n"
        "        raise IndexError('index out of range in self')\n"
        "broken = Broken()\n"
    )
    command = [sys.executable, "-m", "infodis_stats", "check", "own:broken", "--allow-import"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "IndexError: index out of range in self" in done.stdout


@pytest.mark.parametrize("name", ["coda", "rnd1"])
def test_shifted_networks_without_bos_are_fine(name, capsys, tmp_path):
    write_checkpoint(tmp_path, name)
    options = [f"--{key.replace('_', '-')}={_value(value)}" for key, value in CHECKPOINTS[name].options.items()]
    status, out, err = run(capsys, "check", f"hf:{tmp_path}", "--trust-remote-code", *options, "--json")
    assert (status, err) == (0, "")
    verdicts = {entry["check"]: entry["verdict"] for entry in json.loads(out)["verdicts"]}
    assert "do not use" not in verdicts.values()
    assert verdicts["fingerprint"] == "fine"
