"""Substitution scans with real pretrained models, from packages that include them."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.cli import main
from infodis_stats.models.vocabulary import RESIDUES, encode_sequence
from tests.support.packages import package_folder

transformers = pytest.importorskip("transformers")

HEAVY = "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVS"
SCORED = (20, 21, 22, 35)  # S C A W: C and W are conserved in all antibodies


@pytest.fixture(scope="module")
def antiberty() -> Path:
    return package_folder("antiberty") / "trained_models"


@pytest.mark.slow
def test_antiberty_gives_the_same_likelihoods_as_a_direct_computation(antiberty: Path) -> None:
    model = ids.load_model(f"hf:{antiberty / 'AntiBERTy_md_smooth'}", tokenizer=antiberty)
    tokens = encode_sequence(model, HEAVY)
    given = ~np.isin(np.arange(len(tokens)), SCORED)
    scan = ids.scan_substitutions(model, tokens, "exhaustive", passes=15, replicates=2, context=given)
    assert scan["symbol"].values.tolist() == list(RESIDUES)
    assert scan["original"].values.tolist() == [HEAVY[i] for i in SCORED]
    # One pass per distinct mask, 19 per mask for hidden substitutions, and 7 per mutant for masks showing its position.
    assert scan.attrs["forward_passes"] == 15 + 15 * 19 + 4 * 19 * 7

    words = (antiberty / "vocab.txt").read_text().split()
    network = transformers.BertForMaskedLM.from_pretrained(antiberty / "AntiBERTy_md_smooth").eval()

    def nll(sequence: str) -> float:
        total = 0.0
        for size in range(1, 5):
            for hidden in itertools.combinations(SCORED, size):
                row = ["[MASK]" if i in hidden else residue for i, residue in enumerate(sequence)]
                inputs = torch.tensor([[words.index(word) for word in ("[CLS]", *row, "[SEP]")]])
                with torch.no_grad():
                    logs = network(input_ids=inputs)[0][0, 1:-1].log_softmax(-1)
                losses = sum(-logs[i, words.index(sequence[i])].item() for i in hidden)
                total += losses * math.factorial(size - 1) * math.factorial(4 - size) / math.factorial(4)
        return total

    for site, symbol in ((21, "W"), (22, "V")):
        expected = nll(HEAVY) - nll(HEAVY[:site] + symbol + HEAVY[site + 1 :])
        assert scan["log_ratio"].sel(position=site, symbol=symbol).item() == pytest.approx(expected, abs=1e-4)
    # The model knows antibodies: no residue is likelier than the conserved cysteine or tryptophan.
    conserved = scan["log_ratio"].sel(position=[21, 35])
    assert (conserved <= 0).all()
    assert conserved.sel(position=21, symbol="W") < -3


@pytest.mark.slow
def test_antiberty_is_scanned_from_the_command_line(
    antiberty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "heavy.fasta").write_text(f">heavy\n{HEAVY}\n")
    arguments = ["--tokenizer", antiberty, "--positions", "22", "--passes", 4, "--replicates", 4, "--batch-size", 16]
    name = f"hf:{antiberty / 'AntiBERTy_md_smooth'}"
    status = main(["scan", name, str(tmp_path / "heavy.fasta"), "--out", str(tmp_path / "out"), *map(str, arguments)])
    printed = capsys.readouterr().out
    assert status == 0
    assert "0 of 19 substitutions are more likely than the original" in printed
    assert (tmp_path / "out" / "scan.csv").read_text().count("C22") == 19
