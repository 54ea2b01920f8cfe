"""Networks that are refused for what they do: those with noise of their own, and those whose masks see one side."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from estimators import ModelError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from tests.support.checkpoints import bert_like, rewrite, word_tokenizer, write_checkpoint
from tests.support.direct import network, randomised

transformers = pytest.importorskip("transformers")

NOISE = "two identical calls of the network differ by .* it adds its own noise, or its dropout is active"

# What a network does to the hidden states of LLaDA, as a function of them.
STOCHASTIC = {
    "noise": "hidden + 0.01 * torch.randn_like(hidden)",
    "dropout in evaluation mode": "torch.nn.functional.dropout(hidden, 0.3)",
    "tokens masked at random": "torch.where(torch.rand(hidden.shape[:2])[..., None] < 0.5, 0 * hidden, hidden)",
    "another scale at each call": "hidden * torch.rand(())",
}
DETERMINISTIC = {
    "dropout in training mode": "torch.nn.functional.dropout(hidden, 0.3, self.training)",
    "noise of a fixed seed": "hidden + torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0))",
    "noise of the order of rounding": "hidden * (1 + 1e-9 * torch.randn(()))",
}
CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from .tiny_networks import LLaDA

class Config(PretrainedConfig):
    pass

class LLaDAModelLM(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.model = LLaDA(config)

    def forward(self, input_ids):
        hidden = self.model.body(input_ids)
        return (self.model.ff_out({changed}),)
"""


class Changed(nn.Module):
    """LLaDA with changed hidden states."""

    def __init__(self, change: str) -> None:
        super().__init__()
        self.model = network("llada")
        self.change = compile(change, "change", "eval")

    def forward(self, input_ids: Tensor) -> Tensor:
        hidden = self.model.body(input_ids)
        return self.model.ff_out(eval(self.change, {"hidden": hidden, "torch": torch, "self": self}))


def wrap(net: nn.Module, family: str = "llada", **options: Any) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, family, mask_id=10, length=16, **options)


def written(folder: Path, changed: str) -> Path:
    write_checkpoint(folder, "llada")
    (folder / "modeling_own.py").write_text(CODE.format(changed=changed))
    rewrite(folder, auto_map={"AutoConfig": "modeling_own.Config", "AutoModel": "modeling_own.LLaDAModelLM"})
    return folder


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_networks_that_add_noise_are_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=NOISE):
        wrap(Changed(STOCHASTIC[kind]))
    with pytest.raises(ModelError, match=NOISE):
        load_huggingface(written(tmp_path, STOCHASTIC[kind]), trust_remote_code=True)


@pytest.mark.parametrize("kind", DETERMINISTIC)
def test_control_deterministic_networks_are_accepted(kind: str, tmp_path: Path) -> None:
    wrap(Changed(DETERMINISTIC[kind]).train())  # it is set to evaluation mode
    load_huggingface(written(tmp_path, DETERMINISTIC[kind]), trust_remote_code=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_rounding_of_half_precision_is_not_noise(dtype: torch.dtype) -> None:
    wrap(network("llada").to(dtype))
    with pytest.raises(ModelError, match=NOISE):
        wrap(Changed(STOCHASTIC["dropout in evaluation mode"]).to(dtype))


def test_the_state_of_the_random_generator_does_not_matter() -> None:
    """The probe does not change the state of the global generator."""
    net = network("llada")
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    wrap(net)
    assert torch.equal(torch.rand(3), expected)


ATTENDING = """
import torch
from transformers import PretrainedConfig, PreTrainedModel

class Config(PretrainedConfig):
    pass

class Network(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.embedding = torch.nn.Embedding(11, 12)
        self.head = torch.nn.Linear(12, 11)

    def forward(self, input_ids):
        place = torch.arange(input_ids.shape[1])
        i, j = place[:, None], place[None]
        weights = ({visible}) / (2.0 + (i - j).abs())
        return (self.head(torch.tanh(weights @ self.embedding(input_ids))),)
"""

# Whether position i sees the token at j, and what is refused.
CAUSAL = "is causal: a mask does not see the tokens after it, so it is not a masked model of whole sequences"
BLOCKS = "is block-causal with blocks of {}: a mask does not see the tokens after its block"
VISIBLE = {
    "j <= i": CAUSAL,
    "j < i": CAUSAL,
    "j // 2 <= i // 2": BLOCKS.format(2),
    "j // 4 <= i // 4": BLOCKS.format(4),
    "j // 8 <= i // 8": BLOCKS.format(8),
    "i == i": "",
    "(i - j).abs() <= 4": "",
    "i != j": "",
}


def attending(folder: Path, visible: str, name: str = "llada") -> Path:
    """Write a network in which each position sees only some of the others."""
    write_checkpoint(folder, name)
    (folder / "modeling_own.py").write_text(ATTENDING.format(visible=visible))
    rewrite(folder, auto_map={"AutoConfig": "modeling_own.Config", "AutoModelForCausalLM": "modeling_own.Network"})
    sizes = {"embedding.weight": (11, 12), "head.weight": (11, 12), "head.bias": (11,)}
    generator = torch.Generator().manual_seed(1)
    weights = {weight: torch.randn(size, generator=generator) for weight, size in sizes.items()}
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("visible", VISIBLE)
def test_networks_that_see_one_side_are_refused(visible: str, tmp_path: Path) -> None:
    folder = attending(tmp_path, visible)
    if VISIBLE[visible]:
        with pytest.raises(ModelError, match=VISIBLE[visible]):
            load_huggingface(folder, trust_remote_code=True)
    else:
        load_huggingface(folder, trust_remote_code=True)


@pytest.mark.parametrize("before", [(), (9,)])
def test_the_shift_of_the_logits_does_not_hide_a_causal_network(before: tuple[int, ...], tmp_path: Path) -> None:
    """An ordinary autoregressive model, loaded as one with shifted logits."""
    options: dict[str, Any] = {"before": before, "trust_remote_code": True}
    with pytest.raises(ModelError, match="is causal: "):
        load_huggingface(attending(tmp_path, "j <= i", "dream"), **options)
    load_huggingface(attending(tmp_path, "i == i", "dream"), **options)


DECODERS = ["Bert", "Roberta", "Electra", "Camembert", "Esm", "RoFormer", "MegatronBert", "RemBert", "Ernie"]


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("decoder", [False, True])
def test_decoders_under_the_names_of_encoders_are_refused(kind: str, decoder: bool, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"vocab_size": 13, "max_position_embeddings": 20, "pad_token_id": 1}
    if kind == "Esm":
        settings |= {"mask_token_id": 12, "position_embedding_type": "rotary"}
    if kind == "RemBert":
        settings |= {"input_embedding_size": 8, "output_embedding_size": 8}
    bert_like(kind, is_decoder=decoder, **settings).save_pretrained(tmp_path)
    word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
    if decoder:
        with pytest.raises(ModelError, match=CAUSAL):
            load_huggingface(tmp_path)
    else:
        load_huggingface(tmp_path)


def test_a_causal_xlm_is_refused(tmp_path: Path) -> None:
    config = transformers.XLMConfig(
        n_words=13, emb_dim=8, n_layers=1, n_heads=2, max_position_embeddings=16, causal=True, mask_token_id=12
    )
    randomised(transformers.XLMWithLMHeadModel(config)).save_pretrained(tmp_path)
    word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
    with pytest.raises(ModelError, match=CAUSAL):
        load_huggingface(tmp_path)
