"""Without lm-eval: one sentence, and all that does not need it still works."""

import importlib
import sys

import pytest

from estimators import InputError
from infodis_stats import commands
from infodis_stats.cli import main

MODULES = [f"infodis_stats.harness.{name}" for name in ("installed", "language_model", "evaluation")]


@pytest.mark.parametrize("module", MODULES)
def test_what_is_missing_is_said_in_one_sentence(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in MODULES:
        monkeypatch.delitem(sys.modules, each, raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    with pytest.raises(
        InputError, match=r"need lm-eval \(there is no module lm_eval.*pip install .infodis-stats\[harness\]"
    ):
        importlib.import_module(module)
    importlib.import_module("infodis_stats.harness.requests")


def test_the_command_says_it_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for each in (*MODULES, "infodis_stats.commands.evaluating"):
        monkeypatch.delitem(sys.modules, each, raising=False)
    monkeypatch.delitem(vars(commands), "evaluate", raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    assert main(["eval", "--tasks", "some", "--model", "austen"]) == 2
    assert capsys.readouterr().err.startswith("infodis-stats: tasks of lm-evaluation-harness need lm-eval (there is no")
