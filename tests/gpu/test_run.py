"""The script for accelerators runs in tiny form on a CPU."""

import pytest

from infodis_stats.models import acceleration
from tests.gpu import run

pytest.importorskip("transformers")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_the_script_checks_and_measures_in_tiny_form(capsys, monkeypatch):
    monkeypatch.setattr(acceleration, "COMPILER", "eager")
    run.main(["--device", "cpu", "--small"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# On an accelerator"
    assert sum(line.startswith("| `") for line in lines) == len(run.ESTIMATORS)
    assert sum("against the same without" in line for line in lines) == 2
    assert len({line.count("|") for line in lines if line.startswith("| `")}) == 1


def test_control_wrong_losses_fail_the_check(monkeypatch):
    plain = run.plain_losses
    monkeypatch.setattr(run, "plain_losses", lambda *arguments: 1.01 * plain(*arguments))
    with pytest.raises(AssertionError, match="not close"):
        run.check_adapter(run.torch.device("cpu"))
