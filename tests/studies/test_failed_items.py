"""If a network fails on one item, the study names it and leaves it out, and all other numbers stay the same."""

import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of

STUDY = """
title = "one fails"
seed = 3
passes = [4]
replicates = 8
estimators = ["time-free", "uniform-count+stratified"]
reference = "time-free"
truth_passes = 64
[model]
name = "{model}"
[[targets]]
name = "texts"
sequences = ["GATTACA", "{odd}", "ACTGACTGACTGACTG"]
"""
ODD = "CCCC GGGG"


def fails_on(odd):
    """Return a `token_nll` like that of the network, except for NaN in rows that begin like this text."""
    price = Denoiser.token_nll

    def token_nll(self, tokens, masked, *, lengths=None):
        start = torch.as_tensor(self.encode(odd)[:4])
        wrong = (tokens[:, :4] == start).all(dim=1, keepdim=True) & masked
        return torch.where(wrong, torch.nan, price(self, tokens, masked, lengths=lengths))

    return token_nll


@pytest.fixture
def written(tmp_path, network_file, monkeypatch):
    # Next to a padded row a number would be the same but for rounding in float32.
    monkeypatch.setattr(Denoiser, "takes_padding", False)

    def write(text, name="study.toml", **values):
        path = tmp_path / name
        path.write_text(text.format(model=network_file, **values), encoding="utf-8")
        return path

    return write


def test_other_items_keep_their_numbers(written, monkeypatch, tmp_path):
    alone = ids.run_study(written(STUDY.replace('"{odd}", ', ""), "alone.toml"))
    monkeypatch.setattr(Denoiser, "token_nll", fails_on(ODD))
    tree = ids.run_study(written(STUDY, odd=ODD))
    assert json.loads(alone["provenance"].attrs["failed"]) == {}
    failed = json.loads(tree["provenance"].attrs["failed"])
    assert list(failed) == ["texts/1"]
    assert "the model returned NaN as a loss" in failed["texts/1"]
    assert tree["draws"]["item"].values.tolist() == ["texts/0", "texts/2"]
    for name in ("estimate", "forward_passes", "khat"):
        np.testing.assert_array_equal(tree["draws"][name], alone["draws"][name])
    for group in ("truth", "summary"):
        for name, variable in alone[group].data_vars.items():
            np.testing.assert_array_equal(tree[group][name], variable)
    ids.write_report(tree, tmp_path / "out")
    for name in ("report.md", "report.html"):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "Failed and left out: texts/1, position" in page
        assert "items are left out, because the model failed on them (texts/1)" in page.lower()


def test_if_all_items_fail_the_first_is_reported(written, monkeypatch):
    monkeypatch.setattr(Denoiser, "token_nll", lambda self, tokens, masked, **_: torch.full(tokens.shape, torch.nan))
    with pytest.raises(ids.ModelError, match=r"^texts/0, position \d+ \(token \d\): the model returned NaN as a loss$"):
        ids.run_study(written(STUDY, odd=ODD))


SUBJECT = """
[[subjects]]
name = "net"
[subjects.model]
name = "{model}"
[[subjects.targets]]
name = "texts"
sequences = ["GATTACA C", "{odd}", "ACTGACTGA"]
"""

FRONTIER = """
kind = "frontier"
title = "one fails"
seed = 3
passes = [4]
replicates = 8
estimators = ["time-free", "uniform-count+stratified"]
rivals = ["time-free"]
"""


def test_frontiers_leave_out_failed_items(written, monkeypatch):
    text = FRONTIER + SUBJECT
    alone = ids.run_study(written(text.replace('"{odd}", ', ""), "alone.toml"))
    monkeypatch.setattr(Denoiser, "token_nll", fails_on(ODD))
    tree = ids.run_study(written(text, odd=ODD))
    assert list(json.loads(tree["provenance"].attrs["failed"])) == ["net/texts/1"]
    np.testing.assert_array_equal(tree["draws"]["estimate"], alone["draws"]["estimate"])
    np.testing.assert_array_equal(tree["summary"]["gain"], alone["summary"]["gain"])


CALIBRATION = """
kind = "calibration"
title = "one fails"
seed = 3
passes = [4]
replicates = [4]
draws = 40
estimators = ["time-free", "uniform-count+stratified"]
levels = [0.5]
truth_passes = 64
"""


def test_calibrations_leave_out_failed_items(written, monkeypatch):
    text = CALIBRATION + SUBJECT
    alone = ids.run_study(written(text.replace('"{odd}", ', ""), "alone.toml"))
    monkeypatch.setattr(Denoiser, "token_nll", fails_on(ODD))
    tree = ids.run_study(written(text, odd=ODD))
    assert list(json.loads(tree["provenance"].attrs["failed"])) == ["net/texts/1"]
    assert tree["counts"].sizes["item"] == 2
    for group in ("counts", "summary"):
        for name, variable in alone[group].data_vars.items():
            np.testing.assert_array_equal(tree[group][name], variable)
    assert tree["summary"]["missed_low"].sum() > 0
    assert "Failed and left out: net/texts/1, position" in render_markdown(document_of(tree))


BLOCKS = """
kind = "blocks"
title = "one fails"
seed = 3
single = ["uniform-count"]
draws = 20
estimators = ["uniform-count"]
passes = [2]
replicates = 4
"""


def test_studies_of_blocks_leave_out_failed_items(written, monkeypatch, tmp_path):
    path = tmp_path / "blocks.safetensors"
    Denoiser(DenoiserConfig("GATC ", length=16, layers=1, width=16, heads=2, block_size=4)).save(path)
    text = (BLOCKS + SUBJECT).replace("{model}", str(path))
    alone = ids.run_study(written(text.replace('"{odd}", ', ""), "alone.toml"))
    monkeypatch.setattr(Denoiser, "token_nll", fails_on(ODD))
    tree = ids.run_study(written(text, odd=ODD))
    assert list(json.loads(tree["provenance"].attrs["failed"])) == ["net/texts/1"]
    for group in ("single", "draws"):
        np.testing.assert_array_equal(tree[group]["estimate"], alone[group]["estimate"])
    np.testing.assert_array_equal(tree["summary"]["ratio"], alone["summary"]["ratio"])


CORPORA = """
kind = "corpora"
title = "one fails"
seed = 3
passes = [4]
replicates = 4
estimator = "uniform-count+stratified"
reference = "all"
[model]
name = "{model}"
[[corpora]]
name = "all"
records = "{records}"
maps = 2
[[corpora]]
name = "others"
records = "others.jsonl"
"""


def test_corpora_leave_out_failed_texts(written, monkeypatch, tmp_path):
    names = {"first": "GATTACA", "odd": ODD, "third": "ACTG ACTG"}
    files = {"all.jsonl": list(names), "alone.jsonl": ["first", "third"], "others.jsonl": ["first", "third"]}
    for file, kept in files.items():
        lines = [json.dumps({"id": name, "prompt": "", "response": names[name]}) for name in kept]
        (tmp_path / file).write_text("\n".join(lines), encoding="utf-8")
    alone = ids.run_study(written(CORPORA, "alone.toml", records="alone.jsonl"))
    monkeypatch.setattr(Denoiser, "token_nll", fails_on(ODD))
    tree = ids.run_study(written(CORPORA, records="all.jsonl"))
    assert list(json.loads(tree["provenance"].attrs["failed"])) == ["all/odd"]
    np.testing.assert_array_equal(tree["draws"]["estimate"], alone["draws"]["estimate"])
    np.testing.assert_array_equal(tree["summary"]["bits_per_token"], alone["summary"]["bits_per_token"])
    assert list(dict.fromkeys(tree["maps"]["text"].values.tolist())) == ["first"]
