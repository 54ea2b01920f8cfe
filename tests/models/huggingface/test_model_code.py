"""Python code beside the weights: run only if trusted, without traces, on both versions of transformers."""

import importlib
import importlib.machinery
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from infodis_stats.models.huggingface.compatibility import compatible, default_rope
from infodis_stats.models.huggingface.tokenizer import read_tokenizer
from tests.support.checkpoints import CHECKPOINTS, rewrite, word_tokenizer, write_checkpoint
from tests.support.direct import BOS, llada, slow_nll

transformers = pytest.importorskip("transformers")

CODE = """
from transformers import PretrainedConfig, PreTrainedModel
from .tiny_networks import LLaDA
{imports}

class Config(PretrainedConfig):
    model_type = "llada"

class LLaDAModelLM(PreTrainedModel):
    config_class = Config
    {attributes}

    def __init__(self, config):
        super().__init__(config)
        self.model = LLaDA(config)
        {built}

    def forward(self, input_ids, attention_mask=None):
        {called}
        return self.model(input_ids)
"""


@pytest.fixture(autouse=True)
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # transformers copies the code of tokenizers before running it; keep the copies out of the user's cache.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        modules = importlib.import_module("transformers.dynamic_module_utils")
        patch.setattr(modules, "HF_MODULES_CACHE", str(tmp_path_factory.mktemp("code")))
        yield


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 9, (4, 7), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def masked() -> Tensor:
    return torch.rand(4, 7, generator=torch.Generator().manual_seed(2)) < 0.5


Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a LLaDA whose code has the given parts."""

    def write(
        imports: str = "", attributes: str = "", built: str = "pass", called: str = "pass", **settings: Any
    ) -> Path:
        write_checkpoint(tmp_path, "llada", **settings)
        code = CODE.format(imports=imports, attributes=attributes, built=built, called=called)
        (tmp_path / "modeling_own.py").write_text(code)
        own = {"AutoConfig": "modeling_own.Config", "AutoModel": "modeling_own.LLaDAModelLM"}
        rewrite(tmp_path, auto_map={**own, **settings.get("auto_map", {})})
        return tmp_path

    return write


def load(folder: Path, **options: Any) -> MaskedLanguageModel:
    return load_huggingface(folder, trust_remote_code=True, **options)


def check_losses(model: MaskedLanguageModel, tokens: Tensor, masked: Tensor) -> None:
    torch.manual_seed(5)
    expected = slow_nll(llada, CHECKPOINTS["llada"].network(), tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=0)


def test_code_is_run_only_with_the_flag(written: Written) -> None:
    folder = written(imports="raise SystemExit")
    with pytest.raises(InputError, match=r"modeling_own.LLaDAModelLM\), which is run only with trust_remote_code=True"):
        load_huggingface(folder)
    with pytest.raises(SystemExit):
        load(folder)


SCALED = """
from transformers import BertForMaskedLM as Base

class {name}(Base):
    def forward(self, input_ids, **options):
        output = super().forward(input_ids, **options)
        output.logits = output.logits * 0.3
        return output
"""


@pytest.mark.parametrize("name", ["BertForMaskedLM", "ScaledBert"])
def test_a_network_of_transformers_does_not_replace_code(name: str, tmp_path: Path) -> None:
    """The code has the model type of BERT, and may even have the name of its class."""
    write_checkpoint(tmp_path, "bert")
    plain = load_huggingface(tmp_path)
    (tmp_path / "modeling_own.py").write_text(SCALED.format(name=name))
    rewrite(tmp_path, architectures=[name], auto_map={"AutoModelForMaskedLM": f"modeling_own.{name}"})
    with pytest.raises(InputError, match=rf"modeling_own.{name}\), which is run only with trust_remote_code=True"):
        load_huggingface(tmp_path, family="bert")
    own = load(tmp_path, family="bert")
    tokens, masked = torch.full((1, 5), 6), torch.ones(1, 5, dtype=torch.bool)
    assert (own.token_nll(tokens, masked) - plain.token_nll(tokens, masked)).abs().max() > 0.1
    # Control: if another class is named, which transformers has, its own network is what was saved.
    rewrite(tmp_path, architectures=["BertForPreTraining"])
    assert torch.equal(load_huggingface(tmp_path).token_nll(tokens, masked), plain.token_nll(tokens, masked))


def test_an_unknown_architecture_is_not_taken_for_bert(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "bert", architectures=["BD3LMv2"])
    for trusted in (False, True):
        with pytest.raises(InputError, match=r"architecture BD3LMv2 in config.json .*: .* pass family='bert'"):
            load_huggingface(tmp_path, trust_remote_code=trusted)
    expected = load_huggingface(tmp_path, family="bert")
    for known in (["AntiBERTy"], ["TFBertForMaskedLM"], ["BertForMaskedLM"], []):
        rewrite(tmp_path, architectures=known)
        tokens, masked = torch.full((1, 5), 6), torch.ones(1, 5, dtype=torch.bool)
        assert torch.equal(load_huggingface(tmp_path).token_nll(tokens, masked), expected.token_nll(tokens, masked))


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
def test_attention_from_the_hub_is_refused(name: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "bert", **{name: "somebody/kernel"})
    with pytest.raises(
        InputError, match=rf"{name} in config.json must be .*, not code of the hub, got 'somebody/kernel'"
    ):
        load_huggingface(tmp_path)


def test_the_folder_is_not_written_into(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "coda")
    before = sorted(tmp_path.rglob("*"))
    load(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_changed_code_is_read_anew(written: Written, tokens: Tensor, masked: Tensor) -> None:
    check_losses(load(written()), tokens, masked)
    doubled = load(written(called="input_ids = input_ids.flip(1)"))
    with pytest.raises(AssertionError):
        check_losses(doubled, tokens, masked)
    check_losses(load(written()), tokens, masked)


def test_failing_code_suggests_another_version_of_transformers(written: Written) -> None:
    version = transformers.__version__
    with pytest.raises(
        StoreError,
        match=rf"failed \(KeyError: 'absent'\); it may need a version of transformers other than {version}",
    ):
        load(written(imports="{}['absent']"))
    with pytest.raises(
        StoreError, match=rf"cannot import name 'absent' .* a version of transformers other than {version}"
    ):
        load(written(imports="from transformers.utils import absent"))
    with pytest.raises(
        StoreError, match=r"No module named 'transformers.absent'.* a version of transformers other than"
    ):
        load(written(imports="import transformers.absent"))


QUIRKS = {
    "use_cache is read from the configuration": {"called": "assert not self.config.use_cache"},
    "use_return_dict is read from the configuration": {"called": "assert self.config.use_return_dict"},
    "output_attentions is read from the configuration": {
        "called": "assert not self.config.output_attentions and not self.config.output_hidden_states"
    },
    "special tokens are read from the configuration": {
        "built": "assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (None, None, None)"
    },
    "the table of rotary embeddings has an entry without scaling": {
        "imports": "from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS",
        "built": "self.frequencies, self.factor = ROPE_INIT_FUNCTIONS['default'](config, device=None)",
    },
    "LossKwargs is imported": {
        "imports": "from transformers.utils import LossKwargs\nclass Keywords(LossKwargs): pass",
    },
    "is_torch_fx_available is imported": {
        "imports": "from transformers.utils import is_torch_fx_available\n"
        "from transformers.utils.import_utils import is_torch_fx_available as same\n"
        "assert is_torch_fx_available() in (True, False) and same() in (True, False)",
    },
    "layers of transformers have an attention type": {
        "imports": "from transformers import Qwen2Config\n"
        "from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer",
        "built": "self.layer = Qwen2DecoderLayer(Qwen2Config(hidden_size=8, num_attention_heads=2), 0).float()\n"
        "        for weights in self.layer.parameters(): weights.requires_grad_(False)\n"
        "        self.layer._parameters.clear(); self.layer._modules.clear()",
        "called": "assert self.layer.attention_type == 'full_attention'",
    },
}


@pytest.mark.parametrize("quirk", QUIRKS)
def test_what_published_code_expects_of_transformers_is_supplied(
    quirk: str, written: Written, tokens: Tensor, masked: Tensor
) -> None:
    folder = written(**QUIRKS[quirk], hidden_size=12, num_attention_heads=1, rope_theta=10000.0)
    check_losses(load(folder), tokens, masked)


SHIMS = [
    ("transformers.utils", "LossKwargs"),
    ("transformers.utils", "is_torch_fx_available"),
    ("transformers.utils.import_utils", "is_torch_fx_available"),
]


def present() -> list[Any]:
    """Return which of the names that may be supplied exist."""
    table = importlib.import_module("transformers.modeling_rope_utils").ROPE_INIT_FUNCTIONS
    names = [hasattr(importlib.import_module(module), name) for module, name in SHIMS]
    return [*names, "default" in table, *(name for name in sys.modules if name.partition(".")[0] == "flash_attn")]


@pytest.mark.parametrize("fails", [False, True])
def test_what_was_supplied_is_removed_after_loading(fails: bool, written: Written) -> None:
    before = present()
    folder = written(imports="import flash_attn.layers.rotary", built="{}[0]" if fails else "pass")
    if fails:
        with pytest.raises(StoreError, match="failed"):
            load(folder)
    else:
        load(folder)
    assert present() == before
    with compatible(transformers):
        assert all(present()[:4])
        assert "flash_attn.layers.rotary" in sys.modules
    assert present() == before


@pytest.mark.parametrize("partial", [1.0, 0.5])
def test_the_frequencies_are_those_of_transformers(partial: float) -> None:
    """The reference is Llama, whose network has them in both versions."""
    config = transformers.LlamaConfig(
        hidden_size=16, num_attention_heads=2, rope_theta=500.0, partial_rotary_factor=partial
    )
    found, factor = default_rope(config)
    width = int(8 * partial)
    expected = torch.tensor([500.0 ** (-2 * index / width) for index in range(width // 2)])
    torch.testing.assert_close(found, expected)
    assert factor == 1
    if partial == 1:
        rotary = importlib.import_module("transformers.models.llama.modeling_llama").LlamaRotaryEmbedding
        torch.testing.assert_close(found, rotary(config).inv_freq)


def test_layers_have_the_attention_type_of_the_configuration(tmp_path: Path) -> None:
    kinds = ["full_attention", "sliding_attention"]
    code = (
        CHECKPOINTS["a2d"]
        .code["modeling_qwen3.py"]
        .replace(
            'masks = {"full_attention": attention_mask}',
            'masks = {"full_attention": attention_mask, "sliding_attention": attention_mask}',
        )
    )
    write_checkpoint(tmp_path, "a2d", use_sliding_window=True, sliding_window=4, max_window_layers=1, layer_types=kinds)
    (tmp_path / "modeling_qwen3.py").write_text(code)
    model = load(tmp_path, family="a2d", mask_id=10)
    assert [layer.attention_type for layer in model.network.model.layers] == kinds


@pytest.mark.parametrize("order", list(itertools.permutations(["llada", "llada-moe", "a2d"], 2)))
def test_checkpoints_of_one_model_type_do_not_share_their_code(
    order: tuple[str, str], tmp_path: Path, tokens: Tensor, masked: Tensor
) -> None:
    """LLaDA registers its configuration for its model type, which is that of LLaDA-MoE."""
    for name in [*order, order[0]]:
        net = write_checkpoint(tmp_path / name, name)
        word_tokenizer(tmp_path / name, bos=None, eos=None, mask=None, letters="ACDEFG")
        model = load(tmp_path / name, **CHECKPOINTS[name].options)
        expected = slow_nll(CHECKPOINTS[name].direct, net, tokens, masked)
        torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=0)


def test_a_tokenizer_with_code_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "diffucoder")
    (tmp_path / "tokenization_own.py").write_text(
        "from transformers import PreTrainedTokenizerFast\n\n"
        "class OwnTokenizer(PreTrainedTokenizerFast):\n    own = 1\n"
    )
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {
        "tokenizer_class": "OwnTokenizer",
        "auto_map": {"AutoTokenizer": [None, "tokenization_own.OwnTokenizer"]},
    }
    path.write_text(json.dumps(settings))
    with pytest.raises(
        InputError, match=r"tokenizer in .* Python code stored with it \(tokenization_own.OwnTokenizer\)"
    ):
        read_tokenizer(transformers, tmp_path, False)
    model = load(tmp_path)
    assert type(model.tokenizer).own == 1
    assert model.decode(model.encode("A C D")) == "A C D"


@pytest.mark.parametrize("name", ["torch_dtype", "dtype"])
@pytest.mark.parametrize("value", ["bfloat16", "torch.bfloat16"])
def test_a_dtype_may_be_a_string(name: str, value: str, written: Written) -> None:
    """Code may turn it into a string after transformers has read it."""
    code = f"config.{name} = {value!r}"
    folder = written(built=code)
    own = (folder / "modeling_own.py").read_text()
    moved = own.replace(
        'model_type = "llada"',
        f"""model_type = "llada"
    def __init__(self, **settings):
        super().__init__(**settings)
        self.{name} = {value!r}""",
    )
    (folder / "modeling_own.py").write_text(moved)
    assert next(load(folder).network.parameters()).dtype == torch.bfloat16
    (folder / "modeling_own.py").write_text(moved.replace(f"{value!r}", "'bfloat17'"))
    with pytest.raises(InputError, match="names 'bfloat17' as the dtype of the weights, which is not one of float64, "):
        load(folder)


def test_relative_imports_work_at_any_depth(written: Written, tokens: Tensor, masked: Tensor) -> None:
    folder = written(imports="from .parts.inner.deep import deep")
    (folder / "parts" / "inner").mkdir(parents=True)
    (folder / "parts" / "shared.py").write_text("shared = 1\n")
    (folder / "parts" / "inner" / "deep.py").write_text(
        "from ..shared import shared as deep\nfrom ... import tiny_networks\n"
    )
    check_losses(load(folder), tokens, masked)


def test_a_module_of_another_checkpoint_is_not_taken(
    written: Written, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Many checkpoints have modules of the same names."""
    other = tmp_path_factory.mktemp("other")
    write_checkpoint(other, "llada")
    (other / "parts.py").write_text("value = 1\n")
    folder = written(imports="from .parts import value\nassert value == 2")
    (folder / "parts.py").write_text("value = 2\n")
    load(other)
    load(folder)


@pytest.mark.parametrize("place", ["somebody/code--modeling_own.LLaDAModelLM", "code--modeling_own.LLaDAModelLM"])
def test_code_of_another_repository_may_be_beside_the_weights(
    place: str, written: Written, tokens: Tensor, masked: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", None)  # the hub is not asked
    repository = place.partition("--")[0]
    names = {"AutoConfig": f"{repository}--modeling_own.Config", "AutoModel": place}
    folder = written()
    rewrite(folder, auto_map=names)
    check_losses(load(folder), tokens, masked)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("modeling_own", "'modeling_own' in auto_map of config.json is not of the form module.Class"),
        ("../modeling_own.LLaDAModelLM", "is not of the form module.Class"),
        ("modeling_absent.LLaDAModelLM", "lacks modeling_absent.py, the model code that config.json names"),
        ("modeling_own.Absent", "has no class Absent, which config.json names"),
    ],
)
def test_references_to_absent_code_are_refused(reference: str, problem: str, written: Written) -> None:
    folder = written()
    rewrite(folder, auto_map={"AutoConfig": "modeling_own.Config", "AutoModelForCausalLM": reference})
    with pytest.raises(StoreError, match=problem):
        load(folder)


HEADLESS = """
from .modeling_own import Config, LLaDAModelLM

class Bare(LLaDAModelLM):
    def forward(self, input_ids):
        return (self.model.body(input_ids),)

class LLaDAModelLM(LLaDAModelLM):
    pass
"""


@pytest.mark.parametrize(
    "auto_map",
    [
        {"AutoModel": "modeling_heads.Bare"},
        {"AutoModel": "modeling_heads.Bare", "AutoModelForCausalLM": "modeling_heads.LLaDAModelLM"},
        {"AutoModel": "modeling_heads.Bare", "AutoModelForMaskedLM": "modeling_heads.LLaDAModelLM"},
        {"AutoModel": "modeling_heads.LLaDAModelLM", "AutoModelForCausalLM": "modeling_heads.Absent"},
    ],
)
def test_the_class_with_the_head_is_taken(
    auto_map: dict[str, str], written: Written, tokens: Tensor, masked: Tensor
) -> None:
    folder = written()
    (folder / "modeling_heads.py").write_text(HEADLESS)
    rewrite(folder, auto_map={"AutoConfig": "modeling_heads.Config", **auto_map})
    check_losses(load(folder), tokens, masked)


def test_a_folder_without_a_configuration_class(written: Written, tokens: Tensor, masked: Tensor) -> None:
    folder = written()
    rewrite(folder, auto_map={"AutoModel": "modeling_own.LLaDAModelLM"})
    check_losses(load(folder), tokens, masked)  # the class of the network names it
    code = (folder / "modeling_own.py").read_text().replace("    config_class = Config\n", "")
    (folder / "modeling_own.py").write_text(code)
    with pytest.raises(StoreError, match=r"names no configuration class \(AutoConfig in auto_map\)|failed"):
        load(folder)


@pytest.mark.parametrize("package", ["einops", "triton_absent", "flash_attn.losses.cross_entropy"])
@pytest.mark.parametrize("how", ["import {}", "from {} import something"])
def test_a_missing_package_is_named(package: str, how: str, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "einops", None)
    name = package.partition(".")[0]
    with pytest.raises(StoreError, match=f"needs the package {name}: pip install {name}$"):
        load(written(imports=how.format(package)))


def test_what_the_stand_in_for_flash_attn_lacks_is_named_too(written: Written) -> None:
    with pytest.raises(StoreError, match=r"needs the package flash_attn: pip install flash_attn$"):
        load(written(imports="from flash_attn import flash_attn_with_kvcache"))


def test_an_installed_flash_attn_is_used(
    written: Written, tokens: Tensor, masked: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = ModuleType("flash_attn")
    installed.__spec__ = importlib.machinery.ModuleSpec("flash_attn", None)
    installed.own = 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", installed)
    check_losses(load(written(imports="import flash_attn\nassert flash_attn.own")), tokens, masked)
    assert sys.modules["flash_attn"] is installed


ATTENTION = {
    "only its own attention, which it declares": {"attributes": "_supports_sdpa = False"},
    "flash_attention_2": {"attributes": "_supports_flash_attn_2 = _supports_flash_attn = True"},
    "flex_attention": {"attributes": "_supports_flex_attn = True"},
}


@pytest.mark.parametrize("kind", ATTENTION)
@pytest.mark.parametrize("setting", ["_attn_implementation", "attn_implementation"])
def test_code_that_asks_for_another_attention_gets_the_plain_one(
    kind: str, setting: str, written: Written, tokens: Tensor, masked: Tensor
) -> None:
    settings = {setting: kind} if kind.endswith(("_2", "attention")) else {}
    check_losses(load(written(**ATTENTION[kind], **settings)), tokens, masked)


def test_an_attention_of_its_own_is_not_replaced(written: Written) -> None:
    """Other errors of the code are reported, even if they are ValueErrors."""
    with pytest.raises(StoreError, match=r"failed .*a layer is missing"):
        load(written(built="raise ValueError('a layer is missing')"))


def test_coda_masks_at_random_in_training_mode_only(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "coda")
    model = load(tmp_path, before=(BOS,))
    row = torch.arange(8)[None]
    assert not model.network.training
    torch.testing.assert_close(model.network(row)[0], model.network(row)[0], atol=0, rtol=0)
    model.network.train()
    assert not torch.equal(model.network(row)[0], model.network(row)[0])
