"""Objects in notebooks: tables of HTML with escaped text, and short representations."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.models import MaskedLanguageModel
from tests.support import tiny_networks
from tests.support.outline import Outline

LAW = ids.MarkovChain.random(order=1, alphabet="A<>&", seed=0)
TOKENS = LAW.sample(2, length=8, seed=1)


def text_of(value):
    """Return the text of a fragment of HTML; it has tables and paragraphs alone, and no colours of its own."""
    page = value._repr_html_()
    outline = Outline(page)
    assert set(outline.tags) <= {"p", "strong", "table", "thead", "tbody", "tr", "th", "td"}
    assert "style" not in page
    assert "color" not in page
    return " ".join("".join(outline.text).split())


@pytest.mark.parametrize(
    "law",
    [
        LAW,
        ids.IndependentLaw([[0.25, 0.75], [0.5, 0.5]], "<b"),
        ids.TableLaw(["AC", "CA"], [0.25, 0.75]),
        ids.HiddenMarkov.random(states=2, alphabet="ACGT", seed=0),
    ],
    ids=lambda law: law.name,
)
def test_laws_say_kind_symbols_and_fingerprint(law):
    text = text_of(law)
    assert law.describe() in text
    assert type(law).__name__ in text
    assert law.fingerprint()[:16] in text
    assert f"{law.vocabulary_size}: {law.alphabet}" in text


def test_models_say_sizes_conventions_and_fingerprint():
    model = ids.load_model("austen")
    for one, words in ((model, "Denoiser"), (ids.accelerated(model, autocast=torch.bfloat16), "accelerated Denoiser")):
        text = text_of(one)
        assert words in text
        assert one.describe() in text
        assert one.fingerprint()[:16] in text
        assert "128 tokens" in text
    torch.manual_seed(0)
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    masked = MaskedLanguageModel(network, "llada", mask_id=10, length=16, name="<i>tiny</i>")
    text = text_of(masked)
    assert "<i>tiny</i>" in text
    assert "mask id10" in text
    assert masked.fingerprint()[:16] in text


def test_a_large_model_is_not_hashed_to_be_shown(monkeypatch):
    network = tiny_networks.LLaDA(SimpleNamespace(vocab_size=11))
    masked = MaskedLanguageModel(network, "llada", mask_id=10, length=16)
    monkeypatch.setattr(torch.Tensor, "numel", lambda _: 10**9)
    assert "fingerprint" not in text_of(masked)


def test_summaries_are_rounded_tables_with_their_notes():
    result = ids.estimate_nll(LAW, TOKENS, passes=4, replicates=4, names=["<script>", "b"])
    table = ids.summary(result)
    text = text_of(table)
    assert "<script>" in text
    assert all(note in text for note in map(" ".join, map(str.split, table.notes)))
    assert all(cell in text for cell in table.to_markdown().splitlines()[2].replace("|", " ").split()[1:])
    assert repr(table) == f"<Summary of 2 rows: {', '.join(table.frame.columns)}>"
    assert repr(ids.summary(result.isel(sequence=0))).startswith("<Summary of 1 row: sequence")


def test_diagnoses_are_tables_under_the_overall_verdict():
    diagnosis = Diagnosis([Verdict("a", "fine", "1 < 2"), Verdict("b", "caution", "<b>few</b> passes", "more")])
    text = text_of(diagnosis)
    assert text.startswith("caution: <b>few</b> passes.")
    assert "1 < 2" in text
    assert repr(diagnosis) == "<Diagnosis: caution, by 1 of 2 checks>"
    assert repr(Diagnosis([])) == "<Diagnosis: fine, by 0 of 0 checks>"


def test_model_checks_are_their_diagnoses():
    check = ids.check_model(LAW)
    text = text_of(check)
    assert text.startswith(check.model)
    assert all(" ".join(one.reason.split()) in text for one in check.diagnosis.verdicts)
    assert repr(check) == f"<ModelCheck of {check.model}: {check.verdict}>"
    assert np.ndim(check.dependence) in (0, 2)
