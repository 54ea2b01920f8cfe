import builtins
import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from estimators import InputError, TokenError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface import load_huggingface
from tests.support import tiny_networks
from tests.support.direct import BOS, DIRECT, MASK, network, slow_nll

transformers = pytest.importorskip("transformers")

# As in the published code: LLaDA and MDLM never call post_init and LLaDA ties weights in an outdated way, which
# from_pretrained of transformers 5 cannot load.
MODEL_CODE = """
from transformers import PretrainedConfig, PreTrainedModel
from .tiny_networks import Dream, LLaDA
from .tiny_networks import MDLM as TimedNetwork

class TinyConfig(PretrainedConfig):
    def __init__(self, vocab_size=11, **settings):
        self.vocab_size = vocab_size
        super().__init__(**settings)

class LLaDAModelLM(PreTrainedModel):
    config_class = TinyConfig
    base_model_prefix = "model"

    def __init__(self, config, model=None, init_params=False):
        super().__init__(config)
        self.model = LLaDA(config)

    def forward(self, input_ids=None, attention_mask=None):
        return self.model(input_ids)

    def tie_weights(self):
        pass

class TiedModel(LLaDAModelLM):
    def __init__(self, config):
        super().__init__(config)
        self.model.ff_out.weight = self.model.body.embedding.weight

class DreamModel(PreTrainedModel):
    config_class = TinyConfig
    _tied_weights_keys = ["lm_head.weight"]

    def __init__(self, config):
        super().__init__(config)
        self.model = Dream(config)
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids=None, attention_mask=None):
        return self.model(input_ids)

class MDLM(PreTrainedModel):
    config_class = TinyConfig

    def __init__(self, config):
        super().__init__(config)
        self.model = TimedNetwork(config)

    def forward(self, input_ids=None, timesteps=None):
        return self.model(input_ids, timesteps)
"""
CLASSES = {
    "llada": {"AutoModel": "modeling_tiny.LLaDAModelLM", "AutoModelForCausalLM": "modeling_tiny.Absent"},
    "dream": {"AutoModel": "modeling_tiny.DreamModel"},
    "mdlm": {"AutoModelForMaskedLM": "modeling_tiny.MDLM"},
    "radd": {"AutoModel": "tiny_networks.RADD"},
    "sedd": {"AutoModel": "tiny_networks.SEDD"},
}
SETTINGS = {
    "llada": {"architectures": ["LLaDAModelLM"], "mask_token_id": MASK, "max_sequence_length": 16},
    "dream": {"architectures": ["DreamModel"], "mask_token_id": MASK, "max_position_embeddings": 17},
    "mdlm": {"architectures": ["MDLM"], "model_length": 16},
    "radd": {"tokens": MASK, "model": {"type": "ddit_wot", "length": 16}},
    "sedd": {"tokens": MASK, "graph": {"type": "absorb"}, "model": {"type": "ddit", "length": 16}},
}
SPECIALS = {"dream": (BOS,)}


@pytest.fixture(scope="module", autouse=True)
def code_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # transformers copies model code before running it; keep the copies out of the user's cache.
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


def weights_of(family: str, net: nn.Module) -> dict[str, Tensor]:
    prefix = "" if family in {"radd", "sedd"} else "model."
    return {prefix + name: tensor for name, tensor in net.state_dict().items()}


def save_with_code(folder: Path, family: str, **settings: Any) -> nn.Module:
    """Write a model folder like those that the authors of the family publish, and return its network."""
    net = network(family)
    shutil.copy(tiny_networks.__file__, folder / "tiny_networks.py")
    (folder / "modeling_tiny.py").write_text(MODEL_CODE)
    config = {"vocab_size": 11, **SETTINGS[family]}
    if family not in {"radd", "sedd"}:
        config["model_type"] = "Dream" if family == "dream" else family
    config["auto_map"] = {"AutoConfig": "modeling_tiny.TinyConfig", **CLASSES[family]}
    (folder / "config.json").write_text(json.dumps(config | settings))
    save_file(weights_of(family, net), folder / "model.safetensors")
    return net


@pytest.mark.parametrize("family", CLASSES)
def test_a_folder_with_code_gives_the_same_losses_as_a_direct_computation(
    family: str, tmp_path: Path, tokens: Tensor, masked: Tensor
) -> None:
    net = save_with_code(tmp_path, family)
    model = load_huggingface(tmp_path, before=SPECIALS.get(family), trust_remote_code=True)
    assert (model.family.name, model.mask_id, model.longest, model.lean) == (family, MASK, 16, True)
    expected = slow_nll(DIRECT[family], net, tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)


def test_code_is_run_only_with_the_flag(tmp_path: Path) -> None:
    save_with_code(tmp_path, "llada")
    (tmp_path / "modeling_tiny.py").write_text("raise SystemExit")
    with pytest.raises(
        InputError, match=r"modeling_tiny.LLaDAModelLM\), which is run only with trust_remote_code=True"
    ):
        load_huggingface(tmp_path)


def test_failing_code_suggests_another_version_of_transformers(tmp_path: Path) -> None:
    save_with_code(tmp_path, "llada")
    code = MODEL_CODE.replace("tiny_networks import Dream, LLaDA", "tiny_networks import Dream, LLaDA\n{}['default']")
    (tmp_path / "modeling_tiny.py").write_text(code)
    with pytest.raises(
        StoreError, match=r"failed \(KeyError: 'default'\); it may need another version of transformers"
    ):
        load_huggingface(tmp_path, trust_remote_code=True)


def test_dream_without_special_tokens_scores_no_first_token(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    save_with_code(tmp_path, "dream")
    model = load_huggingface(tmp_path, trust_remote_code=True)
    assert model.longest == 17
    masked[0, 0] = True
    with pytest.raises(TokenError, match="is at the first position and cannot be scored"):
        model.token_nll(tokens, masked)


def test_the_family_can_be_specified(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    net = save_with_code(tmp_path, "dream")
    model = load_huggingface(tmp_path, family="llada", trust_remote_code=True, exclude_mask=True)
    expected = slow_nll(lambda net, row: net(row).logits[:, :, :-1].log_softmax(-1), net, tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)


def test_weights_keep_their_stored_dtype(tmp_path: Path) -> None:
    save_with_code(tmp_path, "llada", torch_dtype="bfloat16")
    assert next(load_huggingface(tmp_path, trust_remote_code=True).network.parameters()).dtype == torch.bfloat16
    exact = load_huggingface(tmp_path, trust_remote_code=True, dtype=torch.float32)
    assert next(exact.network.parameters()).dtype == torch.float32
    assert torch.get_default_dtype() == torch.float32


def test_weights_load_from_shards_and_from_pickles(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    save_with_code(tmp_path, "llada")
    expected = load_huggingface(tmp_path, trust_remote_code=True)
    weights = weights_of("llada", network("llada"))
    (tmp_path / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"a.safetensors": names[:2], "b.safetensors": names[2:]}
    for part, of_part in parts.items():
        save_file({name: weights[name] for name in of_part}, tmp_path / part)
    index = {"weight_map": {name: part for part, of_part in parts.items() for name in of_part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    in_parts = load_huggingface(tmp_path, trust_remote_code=True)
    assert in_parts.fingerprint() == expected.fingerprint()
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(StoreError, match=r"index.json is damaged: it does not map weights to files"):
        load_huggingface(tmp_path, trust_remote_code=True)
    (tmp_path / "model.safetensors.index.json").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    pickled = load_huggingface(tmp_path, trust_remote_code=True)
    assert pickled.fingerprint() == expected.fingerprint()


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    save_with_code(tmp_path, "llada")
    weights = weights_of("llada", network("llada"))
    del weights["model.ff_out.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: model.ff_out.weight"):
        load_huggingface(tmp_path, trust_remote_code=True)


def test_a_tied_weight_is_saved_once(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    net = save_with_code(
        tmp_path, "llada", auto_map={"AutoConfig": "modeling_tiny.TinyConfig", "AutoModel": "modeling_tiny.TiedModel"}
    )
    rewrite(tmp_path, architectures=["TiedModel"], model_type="llada")
    weights = weights_of("llada", net)
    del weights["model.ff_out.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    net.ff_out.weight = net.body.embedding.weight
    model = load_huggingface(tmp_path, trust_remote_code=True)
    expected = slow_nll(DIRECT["llada"], net, tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)


class Harmful:
    """An object that runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return builtins.open, (str(self.path), "w")


@pytest.mark.parametrize("native", [True, False])
def test_pickles_with_anything_but_tensors_are_refused(native: bool, tmp_path: Path, bert_folder: Path) -> None:
    if native:
        shutil.copytree(bert_folder, tmp_path, dirs_exist_ok=True)
    else:
        save_with_code(tmp_path, "llada")
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weight": Harmful(tmp_path / "opened")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(StoreError, match=r"pytorch_model.bin"):
        load_huggingface(tmp_path, trust_remote_code=True)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("native", [True, False])
def test_missing_and_damaged_weights_are_refused(native: bool, name: str, tmp_path: Path, bert_folder: Path) -> None:
    if native:
        shutil.copytree(bert_folder, tmp_path, dirs_exist_ok=True)
    else:
        save_with_code(tmp_path, "llada")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(StoreError, match=r"has no weights \(model.safetensors or pytorch_model.bin\)"):
        load_huggingface(tmp_path, trust_remote_code=True)
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=r"cannot be loaded|is damaged"):
        load_huggingface(tmp_path, trust_remote_code=True)


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "on", "a", "mat", "##s"]
SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def randomise(net: nn.Module) -> nn.Module:
    torch.manual_seed(4)
    for weights in net.parameters():
        nn.init.normal_(weights, std=0.5)
    return net.eval()


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    config = transformers.BertConfig(vocab_size=12, max_position_embeddings=10, **SMALL)
    randomise(transformers.BertForMaskedLM(config)).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@torch.no_grad()
def slow_bert_nll(folder: Path, tokens: Tensor, masked: Tensor, *, special: tuple[int, int, int]) -> Tensor:
    cls, mask, sep = special
    net = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    losses = torch.zeros(tokens.shape)
    for row in range(len(tokens)):
        hidden = [mask if masked[row, i] else int(tokens[row, i]) for i in range(tokens.shape[1])]
        logs = net(input_ids=torch.tensor([[cls, *hidden, sep]])).logits[0, 1:-1].log_softmax(-1)
        for position in masked[row].nonzero()[:, 0].tolist():
            losses[row, position] = -logs[position, tokens[row, position]]
    return losses


def test_bert_adds_its_special_tokens_at_both_ends(bert_folder: Path, masked: Tensor) -> None:
    model = load_huggingface(bert_folder)
    assert (model.family.name, model.mask_id, model.before, model.after, model.longest) == ("bert", 4, (2,), (3,), 8)
    assert model.lean
    tokens = torch.randint(5, 12, (4, 7), generator=torch.Generator().manual_seed(3))
    losses = model.token_nll(tokens, masked)
    torch.testing.assert_close(
        losses, slow_bert_nll(bert_folder, tokens, masked, special=(2, 4, 3)), atol=1e-5, rtol=1e-5
    )
    # Control: without them the losses differ.
    bare = load_huggingface(bert_folder, before=(), after=())
    assert bare.longest == 10
    assert (bare.token_nll(tokens, masked) - losses).abs().max() > 0.01
    for position, special in ((0, 2), (6, 3)):
        given = tokens.clone()
        given[1, position] = special
        with pytest.raises(TokenError, match="special token that the model adds to every sequence") as caught:
            model.token_nll(given, masked)
        assert (caught.value.row, caught.value.position) == (1, position)


def test_text_round_trips_through_tokens(bert_folder: Path) -> None:
    model = load_huggingface(bert_folder)
    assert model.encode("the cat sat on mats").tolist() == [5, 6, 7, 8, 10, 11]
    assert model.decode(model.encode("the cat sat on mats")) == "the cat sat on mats"
    with pytest.raises(InputError, match=r"does not know a part of the text: token 1 would be \[UNK\]"):
        model.encode("the dog sat")


def test_the_fingerprint_does_not_depend_on_the_folder(bert_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(bert_folder, tmp_path / "copy")
    copy = load_huggingface(tmp_path / "copy")
    assert copy.fingerprint() == load_huggingface(bert_folder).fingerprint()
    assert copy.describe().startswith("bert copy ")


def word_tokenizer(folder: Path, bos: str, eos: str, mask: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = {word: token for token, word in enumerate([bos, "<pad>", eos, "<unk>", *"ACDEFGHI", mask])}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{bos} $A {eos}", special_tokens=[(bos, 0), (eos, 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, mask_token=mask, unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(folder)


@pytest.mark.parametrize("kind", ["Roberta", "Esm"])
def test_networks_whose_positions_start_after_the_padding_index(kind: str, tmp_path: Path) -> None:
    extra = {"token_dropout": True, "mask_token_id": 12, "position_embedding_type": "absolute"} if kind == "Esm" else {}
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=13, max_position_embeddings=14, pad_token_id=1, **SMALL, **extra
    )
    randomise(getattr(transformers, f"{kind}ForMaskedLM")(config)).save_pretrained(tmp_path)
    word_tokenizer(tmp_path, "<s>", "</s>", "<mask>")
    model = load_huggingface(tmp_path)
    assert (model.mask_id, model.before, model.after, model.longest) == (12, (0,), (2,), 10)
    assert model.lean is (kind == "Roberta")  # ESM adds its bias after the last layer
    tokens = torch.randint(4, 12, (3, 10), generator=torch.Generator().manual_seed(3))
    masked = torch.rand(3, 10, generator=torch.Generator().manual_seed(3)) < 0.5
    expected = slow_bert_nll(tmp_path, tokens, masked, special=(0, 12, 2))
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=1e-5)


def rewrite(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text()) | settings
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


@pytest.fixture
def llada_folder(tmp_path: Path) -> Path:
    save_with_code(tmp_path, "llada")
    return tmp_path


def test_models_without_mask_or_length(llada_folder: Path) -> None:
    rewrite(llada_folder, mask_token_id=None)
    with pytest.raises(
        InputError, match=r"has no mask token: neither config.json \(mask_token_id\) nor a tokenizer specifies it"
    ):
        load_huggingface(llada_folder, trust_remote_code=True)
    rewrite(llada_folder, mask_token_id=MASK, max_sequence_length=None)
    with pytest.raises(InputError, match=r"does not specify a maximum length \(max_position_embeddings, "):
        load_huggingface(llada_folder, trust_remote_code=True)


def test_the_mask_of_llada_is_known_by_default(tmp_path: Path) -> None:
    save_with_code(tmp_path, "llada", vocab_size=126464)
    rewrite(tmp_path, mask_token_id=None)
    net = tiny_networks.LLaDA(SimpleNamespace(vocab_size=126464))
    save_file(weights_of("llada", net), tmp_path / "model.safetensors")
    model = load_huggingface(tmp_path, trust_remote_code=True)
    assert (model.mask_id, model.vocabulary) == (126336, 126464)
    rewrite(tmp_path, architectures=["LLaDAMoEModelLM"])
    with pytest.raises(InputError, match=r"has no mask token: .* it is not guessed; pass it as mask_id="):
        load_huggingface(tmp_path, trust_remote_code=True)


def test_tokenizers_that_do_not_match_are_refused(llada_folder: Path, bert_folder: Path) -> None:
    with pytest.raises(InputError, match=r"config.json and the tokenizer specify different mask ids, 4 and 10"):
        load_huggingface(llada_folder, tokenizer=bert_folder, trust_remote_code=True)
    rewrite(llada_folder, mask_token_id=4)
    with pytest.raises(InputError, match="the tokenizer has 12 tokens but the network has 11: they do not match"):
        load_huggingface(llada_folder, tokenizer=bert_folder, trust_remote_code=True)


def test_a_bert_without_its_tokenizer(bert_folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(bert_folder / name, tmp_path / name)
    with pytest.raises(InputError, match="has no mask token"):
        load_huggingface(tmp_path)
    rewrite(tmp_path, mask_token_id=4)
    with pytest.raises(
        InputError, match="family 'bert' needs a tokenizer with a mask token: specify one with tokenizer="
    ):
        load_huggingface(tmp_path)
    assert load_huggingface(tmp_path, tokenizer=bert_folder).before == (2,)
    assert load_huggingface(tmp_path, before=(), after=()).mask_id == 4
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    with pytest.raises(StoreError, match=r"the tokenizer in .* cannot be read: "):
        load_huggingface(tmp_path)
    # A vocabulary without a tokenizer configuration is treated as WordPiece.
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "words").mkdir()
    shutil.copy(bert_folder / "vocab.txt", tmp_path / "words" / "vocab.txt")
    assert load_huggingface(tmp_path, tokenizer=tmp_path / "words").encode("cats").tolist() == [6, 11]


def test_an_encoder_without_its_head_is_refused(tmp_path: Path, bert_folder: Path) -> None:
    shutil.copytree(bert_folder, tmp_path, dirs_exist_ok=True)
    config = transformers.BertConfig(vocab_size=12, max_position_embeddings=10, **SMALL)
    transformers.BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(StoreError, match=r"lacks weights of a masked language model: cls.predictions"):
        load_huggingface(tmp_path)


def test_an_mdlm_that_depends_on_time_is_refused(tmp_path: Path) -> None:
    save_with_code(tmp_path, "mdlm", time_conditioning=True)
    with pytest.raises(
        InputError, match=r"depends on time \(time_conditioning in config.json\), but masks have no time"
    ):
        load_huggingface(tmp_path, trust_remote_code=True)


def test_the_error_for_published_score_networks_says_how_to_wrap_them(tmp_path: Path) -> None:
    config = {"tokens": 50257, "graph": {"type": "absorb"}, "model": {"type": "ddit", "length": 1024}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=r"names no model code .* wrap it in MaskedLanguageModel\(network, 'sedd', mask"
    ):
        load_huggingface(tmp_path)


def test_invalid_model_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no model folder at .*absent"):
        load_huggingface(tmp_path / "absent")
    with pytest.raises(StoreError, match=r"there is no model folder at ./absent"):
        load_huggingface("./absent")
    with pytest.raises(StoreError, match=r"is not a Hugging Face model folder: it has no config.json"):
        load_huggingface(tmp_path)
    for content in ("{", "[]"):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(StoreError, match=r"config.json is damaged"):
            load_huggingface(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}')
    with pytest.raises(
        InputError, match=r"model type 'gpt2' \(architectures: GPT2LMHeadModel\) belongs to no known family"
    ):
        load_huggingface(tmp_path)


def test_hub_models_are_downloaded_first(bert_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = importlib.import_module("huggingface_hub")
    asked = []

    def download(name: str, **settings: Any) -> str:
        asked.append((name, settings["revision"]))
        if name == "nobody/nothing":
            raise OSError("404 Client Error.\nEntry not found")
        return str(bert_folder)

    monkeypatch.setattr(hub, "snapshot_download", download)
    assert load_huggingface("somebody/bert", revision="abc123").mask_id == 4
    assert asked == [("somebody/bert", "abc123")]
    message = "nobody/nothing is neither a folder nor an available model on the Hugging Face hub: 404 Client Error.$"
    with pytest.raises(StoreError, match=message):
        load_huggingface("nobody/nothing")


def test_without_transformers_the_error_states_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'need the package transformers: pip install "infodis-stats\[hf\]"'):
        load_huggingface(tmp_path)


def test_loading_is_silent(bert_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_huggingface(bert_folder)
    assert capfd.readouterr() == ("", "")
