"""Each supported family, from a folder as on the hub, against the slow computation of the authors' scripts."""

from pathlib import Path

import pytest
import torch

from infodis_stats.models.huggingface import FAMILIES, MaskedLanguageModel, load_huggingface
from tests.support.checkpoints import CHECKPOINTS, write_checkpoint
from tests.support.direct import slow_nll
from tests.support.distributions import check_distributions

LENGTH = 7
WITHOUT_FOLDER = {"smdm"}  # published as single files of weights; see test_huggingface_families.py
WITH_BLOCKS = {name for name, family in FAMILIES.items() if family.block_sizes}  # see test_block_networks.py


def load(folder: Path, name: str) -> MaskedLanguageModel:
    return load_huggingface(folder, trust_remote_code=True, **CHECKPOINTS[name].options)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_published_folder_gives_the_losses_of_a_direct_computation(name: str, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[name]
    net = write_checkpoint(tmp_path, name)
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(*checkpoint.tokens, (4, LENGTH), generator=generator)
    masked = torch.rand(4, LENGTH, generator=generator) < 0.5
    masked[0] = True
    model = load(tmp_path, name)
    family = checkpoint.options.get("family", checkpoint.family or name)
    assert (model.family.name, model.mask_id, model.longest) == (
        family,
        checkpoint.mask,
        16 - len(model.before + model.after),
    )
    losses = model.token_nll(tokens, masked)
    expected = slow_nll(checkpoint.direct, net, tokens, masked, checkpoint.mask)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=0)
    assert check_distributions(model, tokens, masked).shape[1] == model.vocabulary
    # Control: another convention gives other numbers.
    wrong = slow_nll(checkpoint.wrong, net, tokens, masked, checkpoint.mask)
    assert (wrong - losses).abs().max() > 0.01


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_control_the_losses_depend_on_mask_and_special_tokens(name: str, tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS[name]
    write_checkpoint(tmp_path, name)
    model = load(tmp_path, name)
    tokens = torch.full((1, LENGTH), checkpoint.tokens[0] + 1)
    masked = torch.arange(LENGTH)[None] % 2 == 1
    losses = model.token_nll(tokens, masked)
    ordinary = checkpoint.tokens[0] + 2
    changes = [{"mask_id": ordinary}]
    if model.before:
        changes.append({"before": (ordinary,)})
    for change in changes:
        options = {**checkpoint.options, **change}
        other = load_huggingface(tmp_path, trust_remote_code=True, **options)
        assert (other.token_nll(tokens, masked) - losses).abs().max() > 1e-4, change


def test_every_family_has_a_folder() -> None:
    with_folder = {checkpoint.options.get("family", name) for name, checkpoint in CHECKPOINTS.items()}
    assert set(FAMILIES) - with_folder - WITH_BLOCKS == WITHOUT_FOLDER
