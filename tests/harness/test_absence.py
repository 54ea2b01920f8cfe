"""Without lm-eval: one sentence, and all that does not need it still works."""

import importlib
import sys

import pytest

from estimators import InputError

MODULE = "infodis_stats.harness.language_model"


def test_what_is_missing_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    with pytest.raises(
        InputError, match=r"need lm-eval \(there is no module lm_eval.*pip install .infodis-stats\[harness\]"
    ):
        importlib.import_module(MODULE)
    importlib.import_module("infodis_stats.harness.requests")
