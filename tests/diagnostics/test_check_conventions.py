"""Checks of the mask, the special tokens and the shift on texts, by networks that were trained on them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import infodis_stats as ids
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from tests.support import tiny_networks
from tests.support.checked_models import VOCABULARY, Attending, Letters, names, verdict_of, wrapped
from tests.support.direct import MASK, randomised

TEXTS = ["abcdefghiabcdefghi", "defghiabcdefghiabc", "ghiabcdefghiabcdef"]


def trained(shift: int) -> nn.Module:
    """Train a network on a cycle of letters, to predict a masked letter at its own output or at the one before."""
    torch.manual_seed(0)
    net = Attending("full")
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(400):
        tokens = (torch.arange(19) + torch.randint(9, (32, 1))) % 9
        tokens[:, 0] = 9
        masked = torch.rand(tokens.shape) < torch.rand(32, 1)
        masked[:, 0] = False
        logits = net(torch.where(masked, MASK, tokens)).logits
        if shift:
            logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
        loss = nn.functional.cross_entropy(logits[masked], tokens[masked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net


@pytest.fixture(scope="module")
def unshifted_and_shifted() -> tuple[nn.Module, nn.Module]:
    return trained(0), trained(1)


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("assumed", [False, True])
def test_the_shift_is_measured_on_texts(
    shift: bool, assumed: bool, unshifted_and_shifted: tuple[nn.Module, nn.Module]
) -> None:
    model = wrapped(unshifted_and_shifted[shift], shifted=assumed, before=(9,), tokenizer=Letters())
    check = ids.check_model(model, TEXTS)
    assert check.measured["shifted"] is shift
    assert verdict_of(check, "shift") == ("fine" if shift == assumed else "do not use")


@pytest.mark.parametrize("scale", [None, 0.3, 1.0, 1.5])
def test_nothing_is_claimed_of_an_untrained_network(scale: float | None) -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=VOCABULARY))
        if scale is not None:
            randomised(net, scale)
        check = ids.check_model(wrapped(net, before=(9,), tokenizer=Letters()), TEXTS)
        assert check.measured["shifted"] is None
        assert check.measured["best_mask_id"] is None
        assert verdict_of(check, "shift") == "fine"
        assert verdict_of(check, "prediction") == "caution"
        assert check.verdict == "caution"
        assert "mask id" not in names(check)
        assert "special tokens" not in names(check)


EOS, PAD, UNUSED = 11, 12, 13


class Marked(Letters):
    """A tokenizer of nine letters with BOS, EOS and PAD; it does not say which token is the mask."""

    mask_token_id, bos_token_id, eos_token_id, pad_token_id = None, 9, EOS, PAD

    def __len__(self) -> int:
        return UNUSED + 1


def trained_between(before: tuple[int, ...], after: tuple[int, ...], *, shift: bool) -> nn.Module:
    """Train a network on a cycle of letters between special tokens, with logits shifted or not."""
    torch.manual_seed(0)
    net = Attending("full", vocabulary=UNUSED + 1)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(500):
        tokens = (torch.arange(18) + torch.randint(9, (32, 1))) % 9
        masked = torch.rand(tokens.shape) < torch.rand(32, 1)
        masked[:, 0] = False
        sides = [torch.tensor(side, dtype=torch.int64).expand(32, -1) for side in (before, after)]
        logits = net(torch.cat([sides[0], torch.where(masked, MASK, tokens), sides[1]], dim=1)).logits
        logits = logits.roll(int(shift), dims=1)[:, len(before) : len(before) + 18]
        loss = nn.functional.cross_entropy(logits[masked], tokens[masked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net


SURROUNDINGS = [((), (), False), ((9,), (), True), ((), (), True), ((9,), (EOS,), False)]


@pytest.fixture(scope="module", params=SURROUNDINGS, ids=str)
def taught(request: pytest.FixtureRequest) -> tuple[nn.Module, dict[str, Any]]:
    before, after, shift = request.param
    return trained_between(before, after, shift=shift), {"before": before, "after": after, "shifted": shift}


def examined(taught: tuple[nn.Module, dict[str, Any]], **changes: Any) -> ids.ModelCheck:
    options = {"mask_id": MASK, "length": 64, "tokenizer": Marked(), **taught[1], **changes}
    return ids.check_model(UncheckedModel(taught[0], "llada", **options), TEXTS)


def test_the_right_conventions_are_fine(taught: tuple[nn.Module, dict[str, Any]]) -> None:
    check = examined(taught)
    assert check.verdict == "fine", str(check)
    assert check.measured["best_mask_id"] == MASK
    assert (check.measured["best_before"], check.measured["best_after"]) == tuple(
        list(taught[1][side]) for side in ("before", "after")
    )
    assert check.measured["shifted"] == taught[1]["shifted"]
    assert check.measured["text_nll"] < check.measured["chance_nll"]


@pytest.mark.parametrize("wrong", [PAD, UNUSED, EOS])
def test_a_wrong_mask_is_found(wrong: int, taught: tuple[nn.Module, dict[str, Any]]) -> None:
    if wrong in taught[1]["after"]:
        with pytest.raises(ids.InputError, match=f"after contains the mask, token {wrong}"):
            examined(taught, mask_id=wrong)
        return
    check = examined(taught, mask_id=wrong)
    assert verdict_of(check, "mask id") == "do not use"
    assert check.measured["best_mask_id"] == MASK
    assert "shift" not in [verdict.check for verdict in check.diagnosis.verdicts if verdict.verdict == "do not use"]


def test_a_wrong_shift_is_found(taught: tuple[nn.Module, dict[str, Any]]) -> None:
    right = taught[1]["shifted"]
    check = examined(taught, shifted=not right)
    assert verdict_of(check, "shift") == "do not use"
    assert check.measured["shifted"] == right


@pytest.mark.parametrize("changes", [{"before": (9,), "after": ()}, {"before": (), "after": ()}, {"before": (EOS,)}])
def test_wrong_special_tokens_are_found(changes: dict[str, Any], taught: tuple[nn.Module, dict[str, Any]]) -> None:
    check = examined(taught, **changes)
    gain = check.measured["text_nll"] - examined(taught).measured["text_nll"]
    if gain > 0.5:
        assert verdict_of(check, "special tokens") == "caution"
        assert len(check.measured["best_before"]) == len(taught[1]["before"])
        assert check.measured["shifted"] == taught[1]["shifted"]
    elif gain < 0.1:
        assert "special tokens" not in names(check)


def test_wrong_special_tokens_matter_to_a_network_that_knows_its_positions() -> None:
    net = trained_between((), (), shift=False), {"before": (9,), "after": (), "shifted": False}
    check = examined(net)
    assert verdict_of(check, "special tokens") == "caution"
    assert (check.measured["best_before"], check.measured["best_after"]) == ([], [])
