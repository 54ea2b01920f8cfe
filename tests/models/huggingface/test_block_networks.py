"""Networks of block diffusion against one pass over [masked copy ; clean copy] with an explicit mask."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import infodis_stats as ids
from estimators import InputError, ModelError
from estimators.model import blocks_of
from infodis_stats.cli import main
from infodis_stats.models.huggingface import FAMILIES, MaskedLanguageModel, load_huggingface
from infodis_stats.models.huggingface.plain import plain_nll
from tests.support import block_networks
from tests.support.checkpoints import stored, write_checkpoint
from tests.support.direct import BOS, MASK, VOCABULARY, randomised
from tests.support.distributions import check_distributions

pytest.importorskip("transformers")

SIZE, LENGTH = 4, 14

CODE = """
import transformers
from .block_networks import {kind} as Network

class Config(transformers.PretrainedConfig):
    model_type = "{model_type}"

class {architecture}(transformers.PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.model = Network(config)

    def forward(self, *arguments, **named):
        return self.model(*arguments, **named)
"""


@dataclass(frozen=True)
class Published:
    """A published checkpoint of a family, but for its size."""

    kind: str
    architecture: str
    model_type: str
    config: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    shifted: bool = False
    excluded: bool = False


PUBLISHED = {
    "bd3lm": Published(
        "BD3LM",
        "BD3LM",
        "bd3lm",
        {"block_size": SIZE, "cross_attn": True, "attn_backend": "flex", "model_length": 64},
        excluded=True,
    ),
    "sdar": Published(
        "SDAR",
        "SDARForCausalLM",
        "sdar",
        {"max_position_embeddings": 64, "attn_implementation": "flex_attention"},
        {"block_size": SIZE, "mask_id": MASK},
    ),
    "llada2": Published(
        "LLaDA2",
        "LLaDA2MoeModelLM",
        "llada2_moe",
        {"max_position_embeddings": 64},
        {"block_size": SIZE, "mask_id": MASK},
    ),
    "fast-dllm-v2": Published(
        "FastDLLM",
        "Fast_dLLM_QwenForCausalLM",
        "Fast_dLLM_Qwen",
        {"max_position_embeddings": 64, "bd_size": SIZE},
        {"mask_id": MASK},
        shifted=True,
    ),
}


def write(folder: Path, name: str, **settings: Any) -> block_networks.Decoder:
    """Write a folder as on the hub, and return its network."""
    published = PUBLISHED[name]
    shutil.copy(block_networks.__file__, folder / "block_networks.py")
    words = {"kind": published.kind, "architecture": published.architecture, "model_type": published.model_type}
    (folder / "modeling_own.py").write_text(CODE.format(**words))
    config = {
        "architectures": [published.architecture],
        "auto_map": {"AutoConfig": "modeling_own.Config", "AutoModel": f"modeling_own.{published.architecture}"},
        "model_type": published.model_type,
        "dtype": "float32",
        "vocab_size": VOCABULARY,
        **published.config,
        **settings,
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(5)
    net: Any = randomised(getattr(block_networks, published.kind)(SimpleNamespace(**config)))
    save_file(stored(net, "model.{}".format), folder / "model.safetensors")
    made: block_networks.Decoder = net
    return made


def sequences(rows: int = 4, *, first: int = 0) -> tuple[Tensor, Tensor]:
    """Return tokens of which two rows are equal, and masks that hide nothing before the first position."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, BOS, (rows, LENGTH), generator=generator)
    tokens[1] = tokens[0]
    masked = torch.rand(rows, LENGTH, generator=generator) < 0.6
    masked[2] = True
    masked[:, :first] = False
    return tokens, masked


Explicit = Callable[[Tensor, Tensor, Tensor], Tensor]


def doubled(
    explicit: Explicit, tokens: Tensor, masked: Tensor, *, size: int = SIZE, shifted: bool = False, noised: bool = False
) -> Tensor:
    """Return logits that predict each token, from one pass over the two copies.

    ``noised``: a shifted network predicts the first token of a block by the masked copy too, as in training.
    """
    length = tokens.shape[1]
    place = torch.arange(length)
    block = place // size
    own, earlier = block[:, None] == block, block[:, None] > block
    never = torch.zeros(length, length, dtype=torch.bool)
    allowed = torch.cat([torch.cat([own, earlier], dim=1), torch.cat([never, own | earlier], dim=1)])
    both = torch.cat([torch.where(masked, MASK, tokens), tokens], dim=1)
    with torch.no_grad():
        logits, clean = explicit(both, torch.cat([place, place]), allowed).split(length, dim=1)
    if shifted:
        logits, clean = (torch.cat([part[:, :1], part[:, :-1]], dim=1) for part in (logits, clean))
        if not noised:
            logits[:, place % size == 0] = clean[:, place % size == 0]
    return logits


def losses(logits: Tensor, tokens: Tensor, masked: Tensor, *, excluded: bool = False) -> Tensor:
    """Return the losses of masked tokens, one by one."""
    if excluded:
        logits = logits.clone()
        logits[..., MASK] = -torch.inf
    return -logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0] * masked


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_folder_gives_the_losses_of_the_doubled_input(name: str, tmp_path: Path) -> None:
    published = PUBLISHED[name]
    net = write(tmp_path, name)
    model = load_huggingface(tmp_path, trust_remote_code=True, **published.options)
    assert (model.family.name, model.block_size, model.block_start, model.mask_id) == (name, SIZE, 0, MASK)
    assert model.conventions()["block_size"] == SIZE
    tokens, masked = sequences(first=int(published.shifted))
    how: dict[str, Any] = {"excluded": published.excluded}
    expected = losses(doubled(net.explicit, tokens, masked, shifted=published.shifted), tokens, masked, **how)
    found = model.token_nll(tokens, masked)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(plain_nll(model, tokens, masked).float(), expected, atol=1e-5, rtol=0)
    check_distributions(model, tokens, masked)
    # Controls: other blocks, the whole sequence, the other shift, and the noised output at the first token of a block.
    for other in ({"size": 2}, {"size": 6}, {"size": LENGTH}, {"shifted": not published.shifted}):
        wrong = losses(
            doubled(net.explicit, tokens, masked, **{"shifted": published.shifted, **other}), tokens, masked, **how
        )
        assert (wrong - found).abs().max() > 0.01, other
    if published.shifted:
        trained = losses(doubled(net.explicit, tokens, masked, shifted=True, noised=True), tokens, masked)
        first = torch.arange(LENGTH) % SIZE == 0
        torch.testing.assert_close(found[:, ~first], trained[:, ~first], atol=1e-5, rtol=0)
        assert (trained - found)[:, first].abs().max() > 0.01


def test_every_family_with_blocks_is_compared() -> None:
    assert {name for name, family in FAMILIES.items() if family.block_sizes} == {*PUBLISHED, "a2d-bd3lm"}


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("before", [(), (BOS,)])
def test_a_converted_network_is_recognised_by_its_name(shifted: bool, before: tuple[int, ...], tmp_path: Path) -> None:
    """The special token in front is part of the first block."""
    folder = tmp_path / "Qwen3-0.6B-diffusion-bd3lm-v0.1"
    net = write_checkpoint(folder, "a2d")
    model = load_huggingface(
        folder, trust_remote_code=True, mask_id=MASK, block_size=SIZE, shifted=shifted, before=before
    )
    assert (model.family.name, model.block_start) == ("a2d-bd3lm", -len(before))
    tokens, masked = sequences(first=int(shifted and not before))
    inside, hidden = tokens[:, : LENGTH - len(before)], masked[:, : LENGTH - len(before)]

    def explicit(both: Tensor, positions: Tensor, allowed: Tensor) -> Tensor:
        logits: Tensor = net(both, attention_mask=allowed[None, None], position_ids=positions[None]).logits
        return logits

    front = torch.tensor(before, dtype=torch.long).expand(len(tokens), -1)
    whole, masks = torch.cat([front, inside], dim=1), torch.cat([front < 0, hidden], dim=1)
    expected = losses(doubled(explicit, whole, masks, shifted=shifted), whole, masks)[:, len(before) :]
    torch.testing.assert_close(model.token_nll(inside, hidden), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(plain_nll(model, inside, hidden).float(), expected, atol=1e-5, rtol=0)
    outputs = model.outputs(inside, hidden)
    aligned = (model.shift(outputs, inside) if shifted else outputs)[:, len(before) :]
    torch.testing.assert_close(losses(aligned, inside, hidden), expected, atol=1e-5, rtol=0)


def wrapped(net: nn.Module, size: Any = SIZE, family: str = "llada2", **options: Any) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, family, mask_id=MASK, length=64, block_size=size, **options)


def decoder(kind: type[nn.Module] = block_networks.LLaDA2) -> nn.Module:
    torch.manual_seed(5)
    return randomised(kind(SimpleNamespace(vocab_size=VOCABULARY)))


@pytest.mark.parametrize("around", [{}, {"before": (BOS,), "after": (BOS,)}])
def test_padding_changes_nothing(around: dict[str, Any]) -> None:
    for shifted in (False, True):
        model = wrapped(decoder(), shifted=shifted, **around)
        assert model.takes_padding
        tokens, masked = sequences(first=1)
        lengths = torch.tensor([LENGTH, 9, 3, 8])
        masked &= torch.arange(LENGTH) < lengths[:, None]
        found = model.token_nll(tokens, masked, lengths=lengths)
        for row, end in enumerate(lengths.tolist()):
            alone = model.token_nll(tokens[row, None, :end], masked[row, None, :end])[0]
            torch.testing.assert_close(found[row, :end], alone, atol=1e-5, rtol=0)
        assert (found - model.token_nll(tokens, masked)).abs().max() > 0.01  # control


def test_each_distinct_sequence_has_one_clean_pass_and_each_masked_row_one_of_its_own_length() -> None:
    net = decoder()
    model = wrapped(net)
    shapes: list[tuple[int, ...]] = []
    net.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    tokens, masked = sequences()
    before = {name: id(value) for name, value in vars(model).items()}
    found = model.token_nll(tokens, masked)
    assert shapes == [(3, LENGTH), (4, LENGTH)]
    again = model.token_nll(tokens[[0, 0, 0]], masked[[0, 0, 1]])
    assert shapes[2:] == [(1, LENGTH), (2, LENGTH)]
    torch.testing.assert_close(again, found[[0, 0, 1]], atol=1e-6, rtol=0)
    assert before == {name: id(value) for name, value in vars(model).items()}  # nothing is kept


def test_estimates_use_the_blocks() -> None:
    model = wrapped(decoder(), 2)
    assert blocks_of(model) == model.blocks
    tokens = sequences()[0][:1, :4]
    estimate = ids.estimate_nll(model, tokens.numpy(), "exhaustive", passes=3, replicates=1)["nll"].item()
    one = torch.arange(4)[None] % 2 == 1
    price = [model.token_nll(tokens, masked).double() for masked in (one, ~one, one | True)]
    # Either token of a block is the first, with the other masked.
    assert estimate == pytest.approx(float(torch.stack(price).sum()) / 2, rel=1e-6)


def test_nothing_masked_costs_nothing() -> None:
    tokens, masked = sequences()
    assert not wrapped(decoder()).token_nll(tokens, masked & False).any()


def test_a_network_without_a_separate_head_gives_the_same_losses() -> None:
    class Scaled(block_networks.LLaDA2):
        def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
            return SimpleNamespace(logits=2 * super().forward(input_ids, attention_mask).logits)

    net: Any = decoder(Scaled)
    model = wrapped(net, shifted=True)
    assert not model.lean
    tokens, masked = sequences(first=1)
    expected = losses(2 * doubled(net.explicit, tokens, masked, shifted=True), tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        (0, "block_size must be a positive integer, got 0"),
        (-4, "block_size must be a positive integer, got -4"),
        (2.5, "block_size must be an integer, got 2.5"),
        (True, "block_size must be an integer, got True"),
        (None, r"the block size of family 'llada2' is unknown: specify .* block_size= \(published: 32\)"),
    ],
)
def test_a_wrong_block_size_is_refused(size: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        wrapped(decoder(), size)


def test_blocks_and_plain_networks_are_not_confused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"block_size= is for networks trained by block .* family 'llada' has no"):
        wrapped(decoder(), family="llada")
    with pytest.raises(InputError, match="guidance must be 0"):
        wrapped(decoder(), guidance=1.0)
    write(tmp_path, "sdar")
    for family in ("llada", "bert"):
        with pytest.raises(InputError, match=r"SDAR.* is trained by block diffusion: use family='sdar', with its bl"):
            load_huggingface(tmp_path, family=family, mask_id=MASK, trust_remote_code=True)
    with pytest.raises(InputError, match="the block size of family 'sdar' is unknown"):
        load_huggingface(tmp_path, mask_id=MASK, trust_remote_code=True)


def test_a_network_that_only_its_block_size_identifies_is_called_as_the_user_says(tmp_path: Path) -> None:
    net = write(tmp_path, "llada2", model_type="own", architectures=["LLaDA2MoeModelLM"[1:]], block_length=SIZE)
    with pytest.raises(InputError, match=r"its configuration has a block size, .*: .* with family= \(bd3lm, sdar"):
        load_huggingface(tmp_path, mask_id=MASK, trust_remote_code=True)
    code = (tmp_path / "modeling_own.py").read_text().replace("class LLaDA2Moe", "class LaDA2Moe")
    (tmp_path / "modeling_own.py").write_text(code)
    (tmp_path / "config.json").write_text(
        (tmp_path / "config.json").read_text().replace("modeling_own.LLaDA2Moe", "modeling_own.LaDA2Moe")
    )
    model = load_huggingface(tmp_path, family="llada2", mask_id=MASK, trust_remote_code=True)
    tokens, masked = sequences()
    expected = losses(doubled(net.explicit, tokens, masked), tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=0)


def test_a_bd3lm_without_cross_attention_has_no_blocks(tmp_path: Path) -> None:
    """Its configuration names a block size, but only its sampler has blocks."""
    net = write(tmp_path, "bd3lm", cross_attn=False, attn_backend="sdpa")
    model = load_huggingface(tmp_path, trust_remote_code=True)
    assert (model.family.name, model.block_size) == ("mdlm", None)
    tokens, masked = sequences()
    everything = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
    with torch.no_grad():
        logits = net.explicit(torch.where(masked, MASK, tokens), torch.arange(LENGTH), everything)
    expected = losses(logits, tokens, masked, excluded=True)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=1e-5)


class Eager(block_networks.LLaDA2):
    """Computes attention without torch's function."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = layer.parts(hidden)
        key, value = (part.repeat_interleave(2, dim=1) for part in (key, value))
        return (query @ key.transpose(-1, -2)).softmax(dim=-1) @ value


class Mixing(block_networks.LLaDA2):
    """Mixes neighbours outside its attention."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        return super().attend(layer, hidden + hidden.roll(-1, dims=1), mask)


class Shorter(block_networks.LLaDA2):
    """Attends to the first positions only."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = layer.parts(hidden)
        key, value = (part.repeat_interleave(2, dim=1)[:, :, :2] for part in (key, value))
        return nn.functional.scaled_dot_product_attention(query, key, value)


class Blind(block_networks.LLaDA2):
    """Sees its own position only."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        return 0 * super().attend(layer, hidden, mask)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Eager, "does not compute its attention by scaled_dot_product_attention, so it cannot be shown its blocks"),
        (Mixing, "does not keep to blocks of 4 tokens: losses depend on tokens of later blocks"),
        (Shorter, "the network attends from 4 to 2 positions in a sequence of 4, so it cannot be shown its blocks"),
        (Blind, "does not keep to blocks of 4 tokens: losses do not depend on earlier blocks"),
    ],
)
def test_a_network_that_cannot_be_shown_its_blocks_is_refused(kind: type[nn.Module], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        wrapped(decoder(kind))
    assert "\n" not in str(caught.value)


def test_the_block_size_of_the_command_line_replaces_that_of_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "fast-dllm-v2")
    options = ["--trust-remote-code", "--mask-id", str(MASK), "--before", str(BOS), "--json"]
    for more, size in (([], SIZE), (["--block-size", "6"], 6)):
        main(["check", f"hf:{tmp_path}", *options, *more])
        found = json.loads(capsys.readouterr().out)
        assert (found["options"]["block_size"], found["measured"]["block_size"]) == (size, size)
        assert found["measured"].get("configured_block_size", size) == SIZE  # the other one is noticed
    assert main(["check", f"hf:{tmp_path}", *options, "--block-size", "0"]) == 2
    assert "--block-size must be a positive integer, got 0" in capsys.readouterr().err


def test_compiling_is_refused() -> None:
    model: Any = wrapped(decoder())
    with pytest.raises(InputError, match="compile is not for networks of block diffusion"):
        ids.accelerated(model, compile=True)
    fast = ids.accelerated(model, autocast=torch.bfloat16)
    assert blocks_of(fast) == model.blocks
    tokens, masked = sequences()
    near = fast.token_nll(tokens, masked) - model.token_nll(tokens, masked)
    assert 0 < near.abs().max() < 1
