"""Progress bars appear in terminals and notebooks, and only for work that takes time."""

import sys
from types import SimpleNamespace

import pytest

import infodis_stats as ids
from infodis_stats import progress
from infodis_stats.progress import progress_bar, progress_callback

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(2, length=8, seed=1)


def estimate(**settings):
    return ids.estimate_nll(LAW, TOKENS, "uniform-count", passes=4, replicates=4, **settings)


@pytest.fixture
def notebook(monkeypatch):
    """A process that looks like a kernel of Jupyter, without widgets."""
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.parametrize("where", ["a pipe", "a notebook"])
def test_true_is_a_bar_that_appears_in_notebooks_and_not_in_pipes(where, request, monkeypatch, capsys):
    if where == "a notebook":
        request.getfixturevalue("notebook")
    monkeypatch.setattr(progress, "DELAY", 0)
    result = estimate(progress=True)
    assert result.equals(estimate())
    assert ("pass" in capsys.readouterr().err) == (where == "a notebook")


@pytest.mark.usefixtures("notebook")
def test_short_work_shows_no_bar(capsys):
    estimate(progress=True)
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("notebook")
def test_a_hidden_bar_never_appears(monkeypatch, capsys):
    monkeypatch.setattr(progress, "DELAY", 0)
    with progress_bar(show=False) as bar:
        bar.update(3)
    assert capsys.readouterr().err == ""


def test_a_callback_is_called_and_false_is_none():
    passes = []
    estimate(progress=passes.append)
    assert sum(passes) == 2 * 4 * 4
    assert progress_callback(progress=False) is None


def test_anything_else_is_refused():
    message = "progress must be a function of a number of passes, or True for a bar, got int"
    with pytest.raises(ids.InfodisError, match=message):
        estimate(progress=3)
