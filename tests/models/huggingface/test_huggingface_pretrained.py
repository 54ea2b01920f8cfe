"""Real pretrained models, from packages that include them."""

from pathlib import Path

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.models.huggingface import load_huggingface
from tests.support.packages import package_folder

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def rxnmapper() -> Path:
    return package_folder("rxnmapper") / "models" / "transformers" / "albert_heads_8_uspto_all_1310k"


REACTION = "C C ( = O ) O . O C C >> C C ( = O ) O C C"


def test_rxnmapper_gives_the_same_losses_as_a_direct_computation(rxnmapper: Path) -> None:
    words = (rxnmapper / "vocab.txt").read_text().split()
    row = torch.tensor([words.index(symbol) for symbol in REACTION.split()])
    tokens = torch.stack([row] * 16 + [row[torch.randperm(len(row), generator=torch.Generator().manual_seed(1))]] * 16)
    masked = (torch.rand(16, len(row), generator=torch.Generator().manual_seed(0)) < 0.3).repeat(2, 1)
    model = load_huggingface(rxnmapper)
    losses = model.token_nll(tokens, masked)

    network = transformers.AlbertForMaskedLM.from_pretrained(rxnmapper)
    cls, sep, mask = (words.index(word) for word in ("[CLS]", "[SEP]", "[MASK]"))
    expected = torch.zeros(losses.shape)
    for i in range(len(tokens)):
        hidden = [mask if masked[i, j] else int(tokens[i, j]) for j in range(len(row))]
        with torch.no_grad():
            logs = network(input_ids=torch.tensor([[cls, *hidden, sep]])).logits[0, 1:-1].log_softmax(-1)
        for j in masked[i].nonzero()[:, 0].tolist():
            expected[i, j] = -logs[j, tokens[i, j]]
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=0)

    assert (model.mask_id, model.before, model.after, model.longest, model.lean) == (14, (12,), (13,), 510, True)
    # The model knows chemistry: the same symbols in another order are far less likely.
    assert losses[:16].sum() + 50 < losses[16:].sum()


def test_rxnmapper_encodes_its_symbols_and_refuses_unknown_ones(rxnmapper: Path) -> None:
    model = load_huggingface(rxnmapper)
    assert model.decode(model.encode("C ( = O ) O")) == "C ( = O ) O"
    with pytest.raises(ids.InputError, match="the tokenizer does not know a part of the text"):
        model.encode("CC(=O)O>>CCO")


@pytest.mark.slow
def test_antiberty_prefers_the_antibody() -> None:
    folder = package_folder("antiberty") / "trained_models"
    model = load_huggingface(folder / "AntiBERTy_md_smooth", tokenizer=folder)
    assert (model.mask_id, model.before, model.after, model.lean) == (4, (2,), (3,), True)
    true = model.encode(" ".join("EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVS"))
    shuffled = np.random.default_rng(0).permutation(true)
    rows = np.stack([true, shuffled])
    context = np.random.default_rng(1).random(rows.shape[1]) < 0.7
    result = ids.estimate_nll(
        model, rows, "uniform-count", passes=8, replicates=4, seed=0, context=np.stack([context, context])
    )
    assert result["nll"][0] + 10 < result["nll"][1]
