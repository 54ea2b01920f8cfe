"""Weight files: every weight is read, none is left over, and none is misread."""

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from tests.support.checkpoints import (
    CHECKPOINTS,
    bert_like,
    rewrite,
    stored,
    word_tokenizer,
    wordpiece_tokenizer,
    write_checkpoint,
)
from tests.support.direct import between, llada, randomised, slow_nll

transformers = pytest.importorskip("transformers")

Weights = dict[str, Tensor]
FILE = "model.safetensors"


def load(folder: Path, **options: Any) -> MaskedLanguageModel:
    return load_huggingface(folder, trust_remote_code=True, **options)


def change(folder: Path, edit: Callable[[Weights], Weights]) -> None:
    save_file(edit(load_file(folder / FILE)), folder / FILE)


@pytest.fixture
def llada_folder(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path, "llada")
    return tmp_path


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    write_checkpoint(tmp_path, "bert")
    return tmp_path


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(5, 9, (4, 7), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def masked() -> Tensor:
    return torch.rand(4, 7, generator=torch.Generator().manual_seed(2)) < 0.5


def test_weights_keep_their_stored_dtype(llada_folder: Path) -> None:
    """The configuration of LLaDA names no dtype, so that of the files counts."""

    def dtype(**options: Any) -> torch.dtype:
        return next(load(llada_folder, **options).network.parameters()).dtype

    assert dtype() == torch.float32
    change(llada_folder, lambda weights: {name: tensor.bfloat16() for name, tensor in weights.items()})
    assert dtype() == torch.bfloat16
    assert dtype(dtype=torch.float32) == dtype(dtype="float32") == torch.float32
    rewrite(llada_folder, torch_dtype="float16")
    assert dtype() == torch.float16
    assert torch.get_default_dtype() == torch.float32
    with pytest.raises(InputError, match="dtype must be one of float64, float32, bfloat16 and float16, got 'int8'"):
        load(llada_folder, dtype="int8")
    with pytest.raises(InputError, match=r"dtype must be one of float64, .* got 'float8_e4m3fn'"):
        load(llada_folder, dtype="float8_e4m3fn")


def test_weights_load_from_shards_and_from_pickles(llada_folder: Path) -> None:
    expected = load(llada_folder).fingerprint()
    weights = load_file(llada_folder / FILE)
    (llada_folder / FILE).unlink()
    names = sorted(weights)
    parts = {"a.safetensors": names[:2], "b.safetensors": names[2:]}
    for part, of_part in parts.items():
        save_file({name: weights[name] for name in of_part}, llada_folder / part)
    index = llada_folder / f"{FILE}.index.json"
    index.write_text(json.dumps({"weight_map": {name: part for part, of_part in parts.items() for name in of_part}}))
    assert load(llada_folder).fingerprint() == expected
    (llada_folder / "b.safetensors").unlink()
    with pytest.raises(StoreError, match=r"b\.safetensors"):
        load(llada_folder)
    for damaged in ("{}", "{", '{"weight_map": []}'):
        index.write_text(damaged)
        with pytest.raises(StoreError, match=r"index.json is damaged: it does not map weights to files"):
            load(llada_folder)
    index.unlink()
    torch.save(weights, llada_folder / "pytorch_model.bin")
    assert load(llada_folder).fingerprint() == expected


class Harmful:
    """An object that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return builtins.open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["llada", "bert"])
def test_pickles_with_anything_but_tensors_are_refused(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name)
    (tmp_path / FILE).unlink()
    torch.save({"weight": Harmful(tmp_path / "opened")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(StoreError, match=r"pytorch_model.bin is damaged, or it pickles objects other than tensors"):
        load(tmp_path)
    assert not (tmp_path / "opened").exists()
    torch.save([torch.zeros(2)], tmp_path / "pytorch_model.bin")
    with pytest.raises(StoreError, match=r"pytorch_model.bin is damaged: it does not map names to tensors"):
        load(tmp_path)


@pytest.mark.parametrize("file", [FILE, "pytorch_model.bin"])
@pytest.mark.parametrize("name", ["llada", "bert"])
def test_missing_and_damaged_files_are_refused(name: str, file: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).unlink()
    with pytest.raises(StoreError, match=r"has no weights \(model.safetensors or pytorch_model.bin\)"):
        load(tmp_path)
    for damaged in (b"", content[:4], content[: len(content) // 2]):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(StoreError, match=r"cannot be loaded|is damaged"):
            load(tmp_path)


@pytest.mark.parametrize(("name", "weight"), [("llada", "model.ff_out.weight"), ("bert", "bert.encoder.layer.0.")])
def test_missing_weights_are_refused(name: str, weight: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name)
    change(
        tmp_path,
        lambda weights: {name: tensor for name, tensor in weights.items() if not name.startswith(weight)},
    )
    with pytest.raises(StoreError, match=f"lacks weights of a masked language model: {weight}"):
        load(tmp_path)


@pytest.mark.parametrize(
    "extra",
    [
        {"model.ff_out.lora_A.weight": torch.zeros(2, 12)},  # an adapter that is not merged
        {"model.ff_out.weight_scale": torch.ones(11)},  # of quantised weights
        {"model.body.layers.1.weight": torch.zeros(12, 12)},  # of a deeper network
    ],
)
def test_weights_that_the_network_does_not_have_are_refused(extra: Weights, llada_folder: Path) -> None:
    change(llada_folder, lambda weights: weights | extra)
    with pytest.raises(StoreError, match=f"has 1 weights that its network does not use, such as {next(iter(extra))}"):
        load(llada_folder)


def test_a_layer_beyond_the_configuration_is_refused(bert_folder: Path) -> None:
    deeper = stored(bert_like("Bert", vocab_size=12, max_position_embeddings=16, num_hidden_layers=2))
    save_file(deeper, bert_folder / FILE, metadata={"format": "pt"})
    with pytest.raises(StoreError, match=r"weights that its network does not use, such as bert.encoder.layer.1"):
        load(bert_folder)


@pytest.mark.parametrize(("name", "weight"), [("llada", "model.ff_out.weight"), ("bert", "cls.predictions.bias")])
def test_weights_of_another_size_are_refused(name: str, weight: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, name)
    change(tmp_path, lambda weights: weights | {weight: weights[weight][:-1]})
    with pytest.raises(StoreError, match=r"does not fit the network|cannot be loaded|size mismatch"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "method", "problem"),
    [
        (
            "llada",
            "bitsandbytes",
            r"the network's own code would ignore their scales: use a checkpoint in",
        ),
        ("llada", "gptq", r"the network's own code would ignore their scales"),
        ("bert", "bitsandbytes", r"the library of this method cannot load them here: .*accelerate"),
        ("bert", "own", rf"a method that transformers {transformers.__version__} does not know"),
    ],
)
def test_quantised_checkpoints_load_through_their_library_or_not_at_all(
    name: str, method: str, problem: str, tmp_path: Path
) -> None:
    settings = {"load_in_8bit": True} if method == "bitsandbytes" else {}
    write_checkpoint(tmp_path, name, quantization_config={"quant_method": method, **settings})
    with pytest.raises(InputError, match=rf"(?i)are quantised \({method}\).*{problem}"):
        load(tmp_path)


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn], ids=str)
@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("name", ["llada", "bert"])
def test_weights_that_need_scales_are_refused(name: str, kind: torch.dtype, pickled: bool, tmp_path: Path) -> None:
    """Cast to float32, they would load without an error."""
    write_checkpoint(tmp_path, name)
    weights = load_file(tmp_path / FILE)
    narrow = sorted(weights)[3]
    weights[narrow] = weights[narrow].to(kind)
    if pickled:
        (tmp_path / FILE).unlink()
        torch.save(weights, tmp_path / "pytorch_model.bin")
    else:
        save_file(weights, tmp_path / FILE, metadata={"format": "pt"})
    with pytest.raises(StoreError, match=f"weight {narrow} has type .*: the checkpoint is quantised"):
        load(tmp_path)


BUFFER_CODE = """
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
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("constant", torch.ones(()), persistent=False)

    def forward(self, input_ids):
        output = self.model(input_ids)
        output.logits = output.logits * self.scale * self.constant
        return output
"""
OWN = {"AutoConfig": "modeling_own.Config", "AutoModel": "modeling_own.LLaDAModelLM"}


def test_buffers_are_weights_if_they_are_saved(llada_folder: Path) -> None:
    (llada_folder / "modeling_own.py").write_text(BUFFER_CODE)
    rewrite(llada_folder, auto_map=OWN)
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: scale"):
        load(llada_folder)
    change(llada_folder, lambda weights: weights | {"scale": torch.tensor(2.0)})
    assert load(llada_folder).network.scale == 2


PART_CODE = """
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
        {part}

    def forward(self, input_ids):
        output = self.model(input_ids)
        logits = output.logits
        output.logits = {logits}
        return output
"""
# Parts with names that other networks give to constants and unused heads; their weights that are not in the file.
USED = {
    "cls": ("self.cls = torch.nn.Linear(11, 11)", "self.cls(logits)", ["cls.bias", "cls.weight"]),
    "attn": ("self.attn = torch.nn.Linear(11, 11)", "self.attn(logits)", ["attn.bias"]),
    "pooler": ("self.pooler = torch.nn.Linear(11, 11)", "self.pooler(logits)", ["pooler.bias", "pooler.weight"]),
    "masked_bias": (
        "self.masked_bias = torch.nn.Parameter(torch.zeros(11))",
        "logits + self.masked_bias",
        ["masked_bias"],
    ),
    "inv_freq": ("self.inv_freq = torch.nn.Parameter(torch.ones(11))", "logits * self.inv_freq", ["inv_freq"]),
}


def with_part(folder: Path, part: str, logits: str, stored: Weights) -> Path:
    (folder / "modeling_own.py").write_text(PART_CODE.format(part=part, logits=logits))
    rewrite(folder, auto_map=OWN)
    change(folder, lambda weights: weights | stored)
    return folder


@pytest.mark.parametrize("name", USED)
def test_missing_parameters_are_refused_whatever_they_are_called(name: str, llada_folder: Path) -> None:
    part, logits, names = USED[name]
    sizes = {name: (11, 11) if name.endswith("weight") else (11,) for name in [*names, f"{name}.weight"]}
    full = {weight: torch.randn(size) for weight, size in sizes.items() if "." in weight or weight in names}
    if "." not in names[0]:
        full.pop(f"{name}.weight", None)
    load(with_part(llada_folder, part, logits, full))
    change(llada_folder, lambda weights: {key: value for key, value in weights.items() if key not in names})
    with pytest.raises(StoreError, match=f"lacks weights of a masked language model: {', '.join(names)}"):
        load(llada_folder)


def test_control_an_unused_head_may_be_missing_in_code_too(llada_folder: Path) -> None:
    part = "self.pooler = torch.nn.Linear(11, 11)"
    network = load(with_part(llada_folder, part, "logits", {})).network
    assert not network.pooler.weight.any()


@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("self.pooler = torch.nn.Linear(11, 11)", {"pooler.weight_scale": torch.ones(11)}),
        ("self.attn = torch.nn.Linear(11, 11, bias=False)", {"attn.bias": torch.ones(11)}),
        ("pass", {"masked_bias": torch.ones(11)}),
        ("pass", {"cls.weight": torch.ones(11, 11)}),
    ],
)
def test_weights_left_over_in_what_the_network_has_are_refused(part: str, left: Weights, llada_folder: Path) -> None:
    own = {
        f"{name}.{weight}": torch.zeros((11, 11) if weight == "weight" else (11,))
        for name in ("pooler", "attn")
        for weight in ("weight", "bias")
        if f"self.{name} " in part and not (weight == "bias" and "bias=False" in part)
    }
    load(with_part(llada_folder, part, "logits", own))
    with pytest.raises(StoreError, match=f"has 1 weights that its network does not use, such as {next(iter(left))}"):
        load(with_part(llada_folder, part, "logits", own | left))


def test_the_triangles_of_early_gpt2_may_be_left_over(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "diffugpt")
    expected = load(tmp_path, **CHECKPOINTS["diffugpt"].options).fingerprint()
    triangle = torch.ones(16, 16).tril()[None, None]
    constants = {"denoise_model.h.0.attn.bias": triangle, "denoise_model.h.0.attn.masked_bias": torch.tensor(-1e4)}
    for kind in (torch.float32, torch.uint8, torch.bool):
        constants["denoise_model.h.0.attn.bias"] = triangle.to(kind)
        change(tmp_path, lambda weights: weights | constants)
        assert load(tmp_path, **CHECKPOINTS["diffugpt"].options).fingerprint() == expected


EXACT = {
    "permutation": torch.arange(11).flip(0),
    "allowed": torch.arange(11) != 4,
    "bytes": torch.ones(3, dtype=torch.uint8),
}


@pytest.mark.parametrize("name", EXACT)
def test_buffers_may_be_integers_and_truth_values(name: str, llada_folder: Path) -> None:
    part = f"self.register_buffer({name!r}, torch.zeros({len(EXACT[name])}, dtype={EXACT[name].dtype}))"
    network = load(with_part(llada_folder, part, "logits", {name: EXACT[name]})).network
    assert torch.equal(getattr(network, name), EXACT[name])
    # Control: a buffer of floating-point numbers would lose its scale.
    with_part(llada_folder, part.replace(str(EXACT[name].dtype), "torch.float32"), "logits", {})
    with pytest.raises(StoreError, match=f"weight {name} has type .*: the checkpoint is quantised"):
        load(llada_folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("kind", "name"), [("llada", "model.ff_out.weight"), ("bert", "cls.predictions.bias")])
def test_weights_that_are_not_finite_are_named(kind: str, name: str, value: float, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, kind)

    def spoilt(weights: Weights) -> Weights:
        weights[name].flatten()[-1:] = value
        return weights

    change(tmp_path, spoilt)
    with pytest.raises(StoreError, match=f"weight {name} has values that are not finite in float32"):
        load(tmp_path)
    change(tmp_path, lambda weights: weights | {name: weights[name].nan_to_num(1e30, posinf=1e30)})
    load(tmp_path)
    with pytest.raises(StoreError, match=f"weight {name} has values that are not finite in float16"):
        load(tmp_path, dtype="float16")


@pytest.mark.parametrize("kind", ["llada", "bert"])
def test_a_single_file_is_read_before_shards(kind: str, tmp_path: Path) -> None:
    """As in transformers; the index may be one of earlier weights."""
    write_checkpoint(tmp_path, kind)
    expected = load(tmp_path).fingerprint()
    weights = load_file(tmp_path / FILE)
    save_file({name: tensor + 1 for name, tensor in weights.items()}, tmp_path / "old.safetensors")
    index = tmp_path / f"{FILE}.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(weights, "old.safetensors")}))
    assert load(tmp_path).fingerprint() == expected
    # What is checked is what is read.
    change(tmp_path, lambda weights: {name: tensor.to(torch.int8) for name, tensor in weights.items()})
    with pytest.raises(StoreError, match=r"model.safetensors: weight .* has type I8: the checkpoint is quantised"):
        load(tmp_path)
    (tmp_path / FILE).unlink()
    assert load(tmp_path).fingerprint() != expected


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("kind", ["llada", "bert"])
def test_shards_that_do_not_agree_with_their_index_are_refused(kind: str, pickled: bool, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, kind)
    weights = load_file(tmp_path / FILE)
    (tmp_path / FILE).unlink()
    first, *rest = sorted(weights)
    end = "bin" if pickled else "safetensors"
    index = tmp_path / f"{'pytorch_model.bin' if pickled else FILE}.index.json"

    def write(parts: dict[str, list[str]], weight_map: Any) -> None:
        for part, names in parts.items():
            content = {name: weights[name] for name in names}
            torch.save(content, tmp_path / part) if pickled else save_file(content, tmp_path / part)
        index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))

    a, b = f"a.{end}", f"b.{end}"
    right = {first: a, **dict.fromkeys(rest, b)}
    write({a: [first], b: rest}, right)
    load(tmp_path)
    for wrong in (dict.fromkeys(right), {}, [], right | {first: 1}):
        write({}, wrong)
        with pytest.raises(StoreError, match=r"index.json is damaged: it does not map weights to files"):
            load(tmp_path)
    write({}, right | {first: b})
    with pytest.raises(StoreError, match=rf"index.json is damaged: weight {first} is not in {b}"):
        load(tmp_path)
    write({a: [first], b: [first, *rest]}, right)
    with pytest.raises(StoreError, match=rf"weight {first} is stored twice, in {a} and {b}"):
        load(tmp_path)
    (tmp_path / b).unlink()
    with pytest.raises(StoreError, match=rf"lacks {b}, which {index.name} names"):
        load(tmp_path)


@pytest.mark.parametrize("file", [FILE, "pytorch_model.bin"])
@pytest.mark.parametrize("kind", ["llada", "bert"])
def test_pointers_of_git_lfs_are_called_that(kind: str, file: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, kind)
    (tmp_path / FILE).unlink()
    (tmp_path / file).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 5\n")
    with pytest.raises(StoreError, match=rf"{file} is a pointer of Git LFS and not the file itself: run git lfs pull"):
        load(tmp_path)


def test_weights_under_another_name_are_not_read(bert_folder: Path) -> None:
    rewrite(bert_folder, transformers_weights="other.safetensors")
    with pytest.raises(InputError, match=r"transformers_weights in config.json of .* names other weights"):
        load(bert_folder)


def test_constants_that_are_computed_may_be_saved(llada_folder: Path) -> None:
    constants = {"model.layers.0.rotary_emb.inv_freq": torch.zeros(6), "model.position_ids": torch.arange(16)}
    expected = load(llada_folder).fingerprint()
    change(llada_folder, lambda weights: weights | constants)
    assert load(llada_folder).fingerprint() == expected


def test_a_tied_weight_is_saved_once(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    net = write_checkpoint(tmp_path, "llada", weight_tying=True)
    change(tmp_path, lambda weights: {name: tensor for name, tensor in weights.items() if "ff_out" not in name})
    net.ff_out.weight = net.body.embedding.weight
    torch.testing.assert_close(
        load(tmp_path).token_nll(tokens, masked), slow_nll(llada, net, tokens, masked), atol=2e-6, rtol=2e-6
    )


HEAD_CODE = """
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel
from .tiny_networks import WIDTH, Body

class Config(PretrainedConfig):
    pass

class LLaDAModelLM(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.body = Body(config.vocab_size)
        self.ff_out = nn.Linear(WIDTH, config.vocab_size, bias=False)

    def get_input_embeddings(self):
        return self.body.embedding

    def get_output_embeddings(self):
        return self.ff_out

    def forward(self, input_ids):
        return (self.ff_out(self.body(input_ids)),)
"""


@pytest.fixture
def with_head(llada_folder: Path) -> Path:
    """Code that leaves the tying of its head to the loading function of transformers."""
    (llada_folder / "modeling_own.py").write_text(HEAD_CODE)
    rewrite(llada_folder, auto_map=OWN, tie_word_embeddings=True)
    change(llada_folder, lambda weights: {name.removeprefix("model."): tensor for name, tensor in weights.items()})
    return llada_folder


def test_a_head_that_is_not_saved_is_tied_if_the_configuration_says_so(
    with_head: Path, tokens: Tensor, masked: Tensor
) -> None:
    torch.manual_seed(5)
    net: Any = CHECKPOINTS["llada"].network()
    expected = slow_nll(llada, net, tokens, masked)
    torch.testing.assert_close(load(with_head).token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)
    change(with_head, lambda weights: {name: tensor for name, tensor in weights.items() if name != "ff_out.weight"})
    net.ff_out.weight = net.body.embedding.weight
    tied = slow_nll(llada, net, tokens, masked)
    torch.testing.assert_close(load(with_head).token_nll(tokens, masked), tied, atol=2e-6, rtol=2e-6)
    assert (tied - expected).abs().max() > 0.05
    # The default of version 4, under which it was saved.
    rewrite(with_head, tie_word_embeddings=None)
    torch.testing.assert_close(load(with_head).token_nll(tokens, masked), tied, atol=2e-6, rtol=2e-6)
    rewrite(with_head, tie_word_embeddings=False)
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: ff_out.weight"):
        load(with_head)
    # The class of the configuration has another default.
    rewrite(with_head, tie_word_embeddings=None)
    default = "    def __init__(self, tie_word_embeddings=False, **settings):\n"
    default += "        super().__init__(tie_word_embeddings=tie_word_embeddings, **settings)"
    (with_head / "modeling_own.py").write_text(HEAD_CODE.replace("    pass", default))
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: ff_out.weight"):
        load(with_head)


@pytest.mark.parametrize("sharded", [False, True])
def test_weights_that_differ_cannot_be_tied(sharded: bool, with_head: Path) -> None:
    """The network would use the one that is loaded last."""
    code = HEAD_CODE.replace("bias=False)", "bias=False)\n        self.ff_out.weight = self.body.embedding.weight")
    (with_head / "modeling_own.py").write_text(code)
    weights = load_file(with_head / FILE)
    head = {"ff_out.weight": weights.pop("ff_out.weight")}
    table = weights["body.embedding.weight"].clone()

    def save(head: Weights) -> None:
        if not sharded:
            save_file(weights | head, with_head / FILE)
            return
        parts = {"a.safetensors": head, "b.safetensors": weights}
        for part, of_part in parts.items():
            save_file(of_part, with_head / part)
        (with_head / FILE).unlink(missing_ok=True)
        index = {"weight_map": {name: part for part, of_part in parts.items() for name in of_part}}
        (with_head / f"{FILE}.index.json").write_text(json.dumps(index))

    save(head)
    with pytest.raises(
        StoreError, match=r"differs from the one to which the network ties it: tie_word_embeddings should"
    ):
        load(with_head)
    save({"ff_out.weight": table})
    load(with_head)


PRETRAINED = {
    "BertForPreTraining": {},
    "MobileBertForPreTraining": {
        "embedding_size": 4,
        "intra_bottleneck_size": 8,
        "num_feedforward_networks": 1,
    },
    "AlbertForPreTraining": {"embedding_size": 4},
    "BigBirdForPreTraining": {"attention_type": "original_full"},
    "FNetForPreTraining": {},
    "MegatronBertForPreTraining": {},
    "EsmForMaskedLM": {"mask_token_id": 4, "pad_token_id": 0, "position_embedding_type": "rotary"},
    "RobertaForMaskedLM": {"pad_token_id": 0},
    "ElectraForMaskedLM": {"embedding_size": 4},
    "DebertaV2ForMaskedLM": {},
    "DistilBertForMaskedLM": {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 16},
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", PRETRAINED)
def test_checkpoints_with_the_heads_of_their_pretraining_load(
    kind: str, tmp_path: Path, tokens: Tensor, masked: Tensor
) -> None:
    settings = {"vocab_size": 12, "max_position_embeddings": 16, **SMALL, **PRETRAINED[kind]}
    net_class = getattr(transformers, kind)
    torch.manual_seed(3)
    net = randomised(net_class(net_class.config_class(**settings)), std=0.5)
    net.save_pretrained(tmp_path)
    wordpiece_tokenizer(tmp_path)
    direct = slow_nll(_prediction(between((2,), (3,))), net, tokens, masked, mask=4)
    torch.testing.assert_close(load(tmp_path).token_nll(tokens, masked), direct, atol=1e-5, rtol=0)


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def _prediction(direct: Callable[[nn.Module, Tensor], Tensor]) -> Callable[[nn.Module, Tensor], Tensor]:
    """Use the logits of the masked language model of a network with several heads."""

    class Named(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, input_ids: Tensor) -> Any:
            output = self.net(input_ids=input_ids)
            if not hasattr(output, "logits"):
                output.logits = output.prediction_logits
            return output

    return lambda net, row: direct(Named(net), row)


def test_old_names_and_constants_of_bert_load(bert_folder: Path) -> None:
    """Early checkpoints have the decoder under its own name, with a bias, and the numbers of positions.

    AntiBERTy has heads for the chain and the species of an antibody.
    """
    expected = load(bert_folder).fingerprint()

    def old(weights: Weights) -> Weights:
        table = weights["bert.embeddings.word_embeddings.weight"]
        return weights | {
            "bert.embeddings.position_ids": torch.arange(16)[None],
            "bert.pooler.dense.weight": torch.zeros(8, 8),
            "bert.pooler.dense.bias": torch.zeros(8),
            "cls.seq_relationship.weight": torch.zeros(2, 8),
            "cls.seq_relationship.bias": torch.zeros(2),
            "cls.chain.weight": torch.zeros(2, 8),
            "cls.species.bias": torch.zeros(6),
            "cls.predictions.decoder.weight": table.clone(),
            "cls.predictions.decoder.bias": weights["cls.predictions.bias"].clone(),
        }

    save_file(old(load_file(bert_folder / FILE)), bert_folder / FILE, metadata={"format": "pt"})
    assert load(bert_folder).fingerprint() == expected


@pytest.mark.parametrize("kind", ["Roberta", "Esm"])
def test_a_decoder_that_is_stored_beside_the_embedding_loads(kind: str, tmp_path: Path) -> None:
    """As in early checkpoints, which also have a pooler and the numbers of positions."""
    settings = {"mask_token_id": 12, "position_embedding_type": "rotary"} if kind == "Esm" else {}
    net = bert_like(kind, vocab_size=13, max_position_embeddings=16, pad_token_id=1, **settings)
    net.save_pretrained(tmp_path)
    word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
    expected = load(tmp_path).fingerprint()
    body = kind.lower()

    def old(weights: Weights) -> Weights:
        return weights | {
            "lm_head.decoder.weight": weights[f"{body}.embeddings.word_embeddings.weight"].clone(),
            # The decoder of ESM has no bias: its head adds one.
            **({"lm_head.decoder.bias": weights["lm_head.bias"].clone()} if kind == "Roberta" else {}),
            f"{body}.embeddings.position_ids": torch.arange(16)[None],
            f"{body}.embeddings.token_type_ids": torch.zeros(1, 16, dtype=torch.int64),
            f"{body}.pooler.dense.weight": torch.zeros(8, 8),
            f"{body}.pooler.dense.bias": torch.zeros(8),
        }

    save_file(old(load_file(tmp_path / FILE)), tmp_path / FILE, metadata={"format": "pt"})
    assert load(tmp_path).fingerprint() == expected


def test_a_head_without_effect_may_be_missing(tmp_path: Path) -> None:
    """Its random initial values are no part of the fingerprint."""
    write_checkpoint(tmp_path, "esm")
    head = "esm.contact_head.regression.weight"
    full = load(tmp_path)
    weights = load_file(tmp_path / FILE)
    assert head in weights
    del weights[head]
    save_file(weights, tmp_path / FILE, metadata={"format": "pt"})
    found = [load(tmp_path) for _ in range(2)]
    assert found[0].fingerprint() == found[1].fingerprint() != full.fingerprint()
    tokens, masked = torch.full((1, 5), 6), torch.ones(1, 5, dtype=torch.bool)
    torch.testing.assert_close(found[0].token_nll(tokens, masked), full.token_nll(tokens, masked), atol=0, rtol=0)


@pytest.mark.parametrize("kind", ["BertModel", "ElectraForPreTraining", "EsmForSequenceClassification"])
def test_an_encoder_without_its_head_is_refused(kind: str, tmp_path: Path) -> None:
    settings = {"vocab_size": 13, "max_position_embeddings": 16, **SMALL}
    if kind.startswith("Esm"):
        settings |= {"mask_token_id": 12, "pad_token_id": 1}
    net_class = getattr(transformers, kind)
    net_class(net_class.config_class(**settings)).save_pretrained(tmp_path)
    word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: \w+"):
        load(tmp_path)
