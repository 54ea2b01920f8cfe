"""Model folders as on the hub: tiny networks with the calling conventions and quirks of each family."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.support import direct, tiny_networks
from tests.support.direct import BOS, MASK, VOCABULARY, LogProbabilities
from tests.support.model_code import CODE

__all__ = [
    "CHECKPOINTS",
    "REFUSED",
    "Checkpoint",
    "bert_like",
    "rewrite",
    "stored",
    "word_tokenizer",
    "wordpiece_tokenizer",
    "write_checkpoint",
]

transformers: Any = pytest.importorskip("transformers")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", "##s"]
SMALL = MappingProxyType({"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16})


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A published checkpoint of a family, but for its size.

    Attributes
    ----------
    config : mapping
        The content of ``config.json``.
    network : callable
        Makes the network whose weights are stored, for the direct computation.
    direct : callable
        Log-probabilities of a row with masks, computed as in the authors' scripts; see `tests.support.direct`.
    wrong : callable
        The same by a convention of another family: a negative control.
    code : mapping of str to str
        Python files beside the weights.
    names : callable
        Maps the name of a weight of the network to that in the file, or to None if it is not stored.
    tokenizer : callable, optional
        Writes a tokenizer into a folder.
    options : mapping
        What has to be specified to load it.
    family : str
        Its family, if that is not the name of the checkpoint.
    mask : int
        Its mask id.
    tokens : (int, int)
        Range of the ordinary tokens.
    """

    config: Mapping[str, Any]
    network: Callable[[], nn.Module]
    direct: LogProbabilities
    wrong: LogProbabilities
    code: Mapping[str, str] = field(default_factory=dict)
    names: Callable[[str], str | None] = "model.{}".format
    tokenizer: Callable[[Path], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    family: str = ""
    mask: int = MASK
    tokens: tuple[int, int] = (0, BOS)


def write_checkpoint(folder: Path, name: str, **settings: Any) -> nn.Module:
    """Write the checkpoint of a family with its code, and return its network.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    name : str
        One of the `CHECKPOINTS`.
    **settings
        Changes of ``config.json``; None removes an entry.
    """
    checkpoint = CHECKPOINTS[name]
    folder.mkdir(exist_ok=True, parents=True)
    if checkpoint.code:
        shutil.copy(tiny_networks.__file__, folder / Path(tiny_networks.__file__).name)
    for file, text in checkpoint.code.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text)
    (folder / "config.json").write_text(json.dumps(dict(checkpoint.config)))
    rewrite(folder, **settings)
    torch.manual_seed(5)
    net = checkpoint.network()
    save_file(stored(net, checkpoint.names), folder / "model.safetensors")
    if checkpoint.tokenizer is not None:
        checkpoint.tokenizer(folder)
    return net


def stored(net: nn.Module, names: Callable[[str], str | None] = str) -> dict[str, Tensor]:
    """Return the weights of a network by their names in a file."""
    named = {names(name): tensor.contiguous().clone() for name, tensor in net.state_dict().items()}
    return {name: tensor for name, tensor in named.items() if name is not None}


def rewrite(folder: Path, **settings: Any) -> None:
    """Change ``config.json``; None removes an entry."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | settings
    removed = {name for name, value in settings.items() if value is None}
    path.write_text(json.dumps({name: value for name, value in config.items() if name not in removed}))


def word_tokenizer(
    folder: Path,
    *,
    bos: str | None,
    eos: str | None,
    mask: str | None,
    hidden_mask: str = "",
    letters: str = "ACDEFGHI",
) -> None:
    """Write a tokenizer of words: ``bos``, padding, ``eos``, unknown, the letters and the mask.

    ``hidden_mask`` is a mask among the words that the tokenizer does not declare; BOS and EOS are put around a text.
    """
    tokenizers: Any = pytest.importorskip("tokenizers")
    last = mask or hidden_mask or "Z"
    words = [bos or "<a>", "<pad>", eos or "<b>", "<unk>", *letters, last]
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: token for token, word in enumerate(words)}, unk_token="<unk>")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    around = [(word, token) for word, token in ((bos, 0), (eos, 2)) if word]
    if around:
        single = " ".join(word for word in (bos, "$A", eos) if word)
        made.post_processor = tokenizers.processors.TemplateProcessing(single=single, special_tokens=around)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=bos, eos_token=eos, mask_token=mask, unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(folder)


def wordpiece_tokenizer(folder: Path) -> None:
    """Write the tokenizer of a BERT with the 12 `WORDS`."""
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


def bert_like(kind: str, **settings: Any) -> nn.Module:
    """Return a random masked language model of transformers, ``kind`` being the prefix of its class name."""
    config = getattr(transformers, f"{kind}Config")(**{**SMALL, **settings})
    return direct.randomised(getattr(transformers, f"{kind}ForMaskedLM")(config), std=0.5)


def _tiny(kind: Callable[..., nn.Module], turns: int = 0) -> nn.Module:
    """Return a tiny network, with rotary embeddings of the first ``2 * turns`` features if there are any."""
    config = SimpleNamespace(vocab_size=VOCABULARY)
    if not turns:
        return direct.randomised(kind(config))
    return direct.randomised(kind(config, tiny_networks.frequencies(2 * turns)))


def _with_head(name: str) -> str:
    return "lm_head.weight" if name == "ff_out.weight" else f"model.{name}"


def _untied(name: str) -> str | None:
    return None if name == "lm_head.weight" else name


def _diffugpt(name: str) -> str | None:
    if name == "lm_head.weight":
        return None
    return name.replace("transformer.wte.", "embed_tokens.").replace("transformer.", "denoise_model.")


def _qwen3() -> nn.Module:
    return direct.randomised(transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**QWEN3)), std=0.5)


def _llama() -> nn.Module:
    return direct.randomised(transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)), std=0.5)


def _gpt2() -> nn.Module:
    return direct.randomised(transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)), std=0.5)


def _esm() -> nn.Module:
    return bert_like("Esm", **ESM)


def _bare(net: nn.Module, row: Tensor) -> Tensor:
    # Shifted, but without BOS.
    return direct.llada(net, row).roll(1, dims=1)


def _unexcluded(net: nn.Module, row: Tensor) -> Tensor:
    logits: Tensor = net(row, torch.zeros(1))
    return logits.log_softmax(-1)


def _causal(net: nn.Module, row: Tensor) -> Tensor:
    return direct.shifted(net, row, bos=0)


QWEN3 = {
    "vocab_size": VOCABULARY,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 4,
    "max_position_embeddings": 16,
    "tie_word_embeddings": True,
    "use_cache": True,
}
LLAMA = {name: value for name, value in QWEN3.items() if name not in {"head_dim", "tie_word_embeddings"}}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 16}
ESM = {
    "vocab_size": 13,
    "max_position_embeddings": 16,
    "position_embedding_type": "rotary",
    "token_dropout": True,
    "mask_token_id": 12,
    "pad_token_id": 1,
}
ESMC = {
    "vocab_size": 13,
    "max_position_embeddings": 16,
    "head_dim": 4,
    "num_key_value_heads": 2,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "mask_token_id": 12,
    "pad_token_id": 1,
    "tie_word_embeddings": False,
}
DREAM = {
    "architectures": ["DreamModel"],
    "auto_map": {"AutoConfig": "configuration_dream.DreamConfig", "AutoModel": "modeling_dream.DreamModel"},
    "model_type": "Dream",
    "bos_token_id": 8,  # of the model from which it was initialised, not the BOS of its sequences
    "hidden_size": 12,
    "num_attention_heads": 1,
    "max_position_embeddings": 16,
    "rope_scaling": None,
    "torch_dtype": "float32",
    "use_cache": True,
    "vocab_size": VOCABULARY,
}

CHECKPOINTS: dict[str, Checkpoint] = {
    "llada": Checkpoint(
        config={
            "architectures": ["LLaDAModelLM"],
            "auto_map": {
                "AutoConfig": "configuration_llada.LLaDAConfig",
                "AutoModel": "modeling_llada.LLaDAModelLM",
                "AutoModelForCausalLM": "modeling_llada.LLaDAModelLM",
            },
            "model_type": "llada",
            "d_model": 12,
            "mask_token_id": MASK,
            "max_sequence_length": 16,
            "use_cache": False,
            "vocab_size": VOCABULARY,
            "weight_tying": False,
        },
        code=CODE["llada"],
        network=partial(_tiny, tiny_networks.LLaDA),
        direct=direct.llada,
        wrong=direct.shifted,
    ),
    "llada-moe": Checkpoint(
        config={
            "architectures": ["LLaDAMoEModelLM"],
            "auto_map": {
                "AutoConfig": "configuration_lladamoe.LLaDAConfig",
                "AutoModel": "modeling_lladamoe.LLaDAMoEModelLM",
                "AutoModelForCausalLM": "modeling_lladamoe.LLaDAMoEModelLM",
            },
            "model_type": "llada",
            "hidden_size": 12,
            "num_attention_heads": 1,
            "num_experts": 4,
            "max_position_embeddings": 16,
            "partial_rotary_factor": 0.5,
            "rope_scaling": None,
            "tie_word_embeddings": False,
            "torch_dtype": "float32",
            "vocab_size": VOCABULARY,
        },
        code=CODE["llada-moe"],
        network=partial(_tiny, tiny_networks.LLaDA, turns=3),
        direct=direct.llada,
        wrong=direct.shifted,
        options={"mask_id": MASK},
    ),
    "dream": Checkpoint(
        config={**DREAM, "mask_token_id": MASK},
        code=CODE["dream"],
        network=partial(_tiny, tiny_networks.Dream, turns=6),
        direct=direct.shifted,
        wrong=_bare,
        options={"before": (BOS,)},
    ),
    "diffucoder": Checkpoint(
        config={**DREAM, "vocab_size": 13},
        code=CODE["diffucoder"],
        network=lambda: direct.randomised(
            tiny_networks.Dream(SimpleNamespace(vocab_size=13), tiny_networks.frequencies(12))
        ),
        direct=partial(direct.shifted, bos=0),
        wrong=partial(direct.shifted, bos=8),
        tokenizer=partial(word_tokenizer, bos="<|beginoftext|>", eos=None, mask="<|mask|>"),
        family="dream",
        mask=12,
        tokens=(4, 12),
    ),
    "coda": Checkpoint(
        config={
            "architectures": ["CoDALanguageModel"],
            "auto_map": {"AutoConfig": "model_config.CoDAConfig", "AutoModel": "modeling_coda.CoDALanguageModel"},
            "model_type": "CoDA",
            "block_masking_probability": [0.25, 0.5],
            "mask_block_sizes": [4, 8],
            "mask_token_id": MASK,
            "max_position_embeddings": 16,
            "rope_scaling": None,
            "torch_dtype": "float32",
            "use_cache": True,
            "vocab_size": VOCABULARY,
        },
        code=CODE["coda"],
        network=partial(_tiny, tiny_networks.Dream),
        direct=direct.shifted,
        wrong=direct.llada,
        names=_with_head,
        options={"before": (BOS,)},
    ),
    "rnd1": Checkpoint(
        config={
            "architectures": ["RND1"],
            "auto_map": {
                "AutoConfig": "configuration_rnd.RND1Config",
                "AutoModel": "modeling_rnd.RND1Model",
                "AutoModelForMaskedLM": "modeling_rnd.RND1LM",
            },
            "model_type": "rnd1",
            "dtype": "float32",
            "is_causal": False,
            "mask_token_id": MASK,
            "max_position_embeddings": 16,
            "rope_scaling": False,
            "sliding_window": False,
            "vocab_size": VOCABULARY,
        },
        code=CODE["rnd1"],
        network=partial(_tiny, tiny_networks.Dream),
        direct=direct.shifted,
        wrong=direct.llada,
        names=_with_head,
        options={"before": (BOS,)},
    ),
    "a2d": Checkpoint(
        config={
            **QWEN3,
            "architectures": ["A2DQwen3LMHeadModel"],
            "auto_map": {
                "AutoConfig": "modeling_qwen3.A2DQwen3Config",
                "AutoModel": "modeling_qwen3.A2DQwen3LMHeadModel",
                "AutoModelForMaskedLM": "modeling_qwen3.A2DQwen3LMHeadModel",
            },
            "model_type": "a2d-qwen3",
            "dtype": "float32",
        },
        code=CODE["a2d"],
        network=_qwen3,
        direct=direct.everything_visible(direct.llada),
        wrong=direct.everything_visible(direct.shifted),
        names=_untied,
        options={"family": "a2d", "mask_id": MASK},
    ),
    "mdlm": Checkpoint(
        config={
            "architectures": ["MDLM"],
            "auto_map": {"AutoConfig": "configuration_mdlm.MDLMConfig", "AutoModelForMaskedLM": "modeling_mdlm.MDLM"},
            "model_type": "mdlm",
            "model_length": 16,
            "return_dict": False,
            "time_conditioning": False,
            "torch_dtype": "float32",
            "vocab_size": VOCABULARY,
        },
        code=CODE["mdlm"],
        network=partial(_tiny, tiny_networks.MDLM),
        direct=direct.mdlm,
        wrong=_unexcluded,
        names="backbone.{}".format,
    ),
    "radd": Checkpoint(
        config={
            "tokens": MASK,
            "model": {"type": "ddit_wot", "length": 16},
            "auto_map": {"AutoConfig": "configuration_own.Config", "AutoModel": "tiny_networks.RADD"},
        },
        code=CODE["radd"],
        network=partial(_tiny, tiny_networks.RADD),
        direct=direct.radd,
        wrong=lambda net, row: net(row).log_softmax(-1),
        names=str,
    ),
    "sedd": Checkpoint(
        config={
            "tokens": MASK,
            "graph": {"type": "absorb"},
            "model": {"type": "ddit", "length": 16},
            "auto_map": {"AutoConfig": "configuration_own.Config", "AutoModel": "tiny_networks.SEDD"},
        },
        code=CODE["sedd"],
        network=partial(_tiny, tiny_networks.SEDD),
        direct=direct.sedd,
        wrong=lambda net, row: net(row, torch.ones(1))[:, :, :-1].log_softmax(-1),
        names=str,
    ),
    "diffullama": Checkpoint(
        config={**LLAMA, "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32"},
        network=_llama,
        direct=direct.everything_visible(partial(direct.shifted, bos=0)),
        wrong=_causal,
        names=str,
        options={"family": "diffullama", "mask_id": MASK, "before": (0,)},
        tokens=(1, 9),
    ),
    "diffugpt": Checkpoint(
        config={**GPT2, "architectures": ["DiscreteDiffusionModel"], "model_type": "gpt2"},
        network=_gpt2,
        direct=direct.everything_visible(partial(direct.shifted, bos=0)),
        wrong=_causal,
        names=_diffugpt,
        options={"family": "diffullama", "mask_id": MASK, "before": (0,)},
        tokens=(1, 9),
    ),
    "dplm": Checkpoint(
        config={**SMALL, **ESM, "architectures": ["EsmForDPLM"], "model_type": "esm", "dplm_type": "dplm_esm"},
        network=_esm,
        direct=direct.between((0,), (2,)),
        wrong=direct.between((0,), ()),
        names=str,
        tokenizer=partial(word_tokenizer, bos="<cls>", eos="<eos>", mask="<mask>"),
        mask=12,
        tokens=(4, 12),
    ),
    "esm": Checkpoint(
        config={**SMALL, **ESM, "architectures": ["EsmForMaskedLM"], "model_type": "esm"},
        network=_esm,
        direct=direct.between((0,), (2,)),
        wrong=direct.between((0,), ()),
        names=str,
        tokenizer=partial(word_tokenizer, bos="<cls>", eos="<eos>", mask="<mask>"),
        family="bert",
        mask=12,
        tokens=(4, 12),
    ),
    "bert": Checkpoint(
        config={
            **SMALL,
            "architectures": ["BertForMaskedLM"],
            "model_type": "bert",
            "max_position_embeddings": 16,
            "vocab_size": 12,
        },
        network=lambda: bert_like("Bert", vocab_size=12, max_position_embeddings=16),
        direct=direct.between((2,), (3,)),
        wrong=direct.between((), ()),
        names=str,
        tokenizer=wordpiece_tokenizer,
        mask=4,
        tokens=(5, 12),
    ),
}
"""By name: that of the family, or of another checkpoint of it."""

if hasattr(transformers, "EsmcForMaskedLM"):  # from version 5 on
    CHECKPOINTS["esmc"] = Checkpoint(
        config={**SMALL, **ESMC, "architectures": ["EsmcForMaskedLM"], "model_type": "esmc"},
        network=lambda: bert_like("Esmc", **ESMC),
        direct=direct.between((0,), (2,)),
        wrong=direct.between((0,), ()),
        names=str,
        tokenizer=partial(word_tokenizer, bos="<cls>", eos="<eos>", mask="<mask>"),
        family="bert",
        mask=12,
        tokens=(4, 12),
    )


def _blocks(kind: str, network: str, **settings: Any) -> dict[str, Any]:
    auto = {"AutoConfig": "configuration_own.Config", "AutoModel": f"modeling_own.{network}"}
    return {"model_type": kind, "architectures": [network], "auto_map": auto, **LENGTH, **settings}


LENGTH = {"max_position_embeddings": 16, "vocab_size": 13}

REFUSED: Mapping[str, Mapping[str, Any]] = {
    "e2d2": _blocks("e2d2", "E2D2", block_size=4, backbone_config={}, noise_config={}, length=16),
    "mdlm of e2d2": _blocks("mdlm", "MDLM", backbone_config={}, noise_config={}, length=16),
    "bd3lm of e2d2": _blocks("bd3lm", "BD3LM", backbone_config={}, block_size=4, length=16),
    "blocks of llada": _blocks("llada", "LLaDAModelLM", block_size=8, max_sequence_length=16),
    "dream-reasoner": _blocks("Dream", "DreamForCausalLM", block_size=32),
    "other blocks": _blocks("own", "OwnForMaskedLM", block_length=8),
    "udlm": _blocks("udlm", "UDLM", time_conditioning=True),
    "duo": _blocks("duo", "DUO", var_min=False),
    "gidd": _blocks("dit", "DIT", p_uniform=0.1, t_eps=1e-4, max_seq_len=16),
    "dplm2": {**LENGTH, "model_type": "esm", "architectures": ["EsmForDPLM2"], "dplm_type": "dplm2_esm"},
    "diffusion-gemma": {"model_type": "diffusion_gemma", "architectures": ["DiffusionGemmaForBlockDiffusion"]},
    "sedd-uniform": {"tokens": 12, "graph": {"type": "uniform"}, "model": {"type": "ddit", "length": 16}},
}
"""The configurations of checkpoints that are refused."""
