"""Loading from a folder: what is recognised, what has to be specified, and what is refused before anything is built."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from estimators import InputError, TokenError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface import load_huggingface
from tests.support.checkpoints import bert_like, rewrite, word_tokenizer, write_checkpoint
from tests.support.direct import between, slow_nll

pytest.importorskip("transformers")


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(5, 9, (4, 7), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def masked() -> Tensor:
    return torch.rand(4, 7, generator=torch.Generator().manual_seed(2)) < 0.5


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    write_checkpoint(folder, "bert")
    return folder


def test_the_family_can_be_specified(tmp_path: Path, tokens: Tensor, masked: Tensor) -> None:
    net = write_checkpoint(tmp_path, "dream")
    model = load_huggingface(tmp_path, family="llada", trust_remote_code=True, exclude_mask=True)
    expected = slow_nll(lambda net, row: net(row).logits[:, :, :-1].log_softmax(-1), net, tokens, masked)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)


def test_bert_adds_its_special_tokens_at_both_ends(bert_folder: Path, tokens: Tensor, masked: Tensor) -> None:
    model = load_huggingface(bert_folder)
    assert (model.family.name, model.mask_id, model.before, model.after, model.longest) == ("bert", 4, (2,), (3,), 14)
    assert model.lean
    losses = model.token_nll(tokens, masked)
    # Control: without them the losses differ.
    bare = load_huggingface(bert_folder, before=(), after=())
    assert bare.longest == 16
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


@pytest.mark.parametrize("kind", ["Roberta", "Esm"])
def test_networks_whose_positions_start_after_the_padding_index(kind: str, tmp_path: Path) -> None:
    extra = {"token_dropout": True, "mask_token_id": 12, "position_embedding_type": "absolute"} if kind == "Esm" else {}
    net = bert_like(kind, vocab_size=13, max_position_embeddings=14, pad_token_id=1, **extra)
    net.save_pretrained(tmp_path)
    word_tokenizer(tmp_path, bos="<s>", eos="</s>", mask="<mask>")
    model = load_huggingface(tmp_path)
    assert (model.mask_id, model.before, model.after, model.longest) == (12, (0,), (2,), 10)
    assert model.lean is (kind == "Roberta")  # ESM adds its bias after the last layer
    tokens = torch.randint(4, 12, (3, 10), generator=torch.Generator().manual_seed(3))
    masked = torch.rand(3, 10, generator=torch.Generator().manual_seed(3)) < 0.5
    expected = slow_nll(between((0,), (2,)), net, tokens, masked, mask=12)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=1e-5, rtol=0)


def test_models_without_a_maximum_length(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "llada", max_sequence_length=None)
    with pytest.raises(InputError, match=r"does not specify a maximum length \(max_position_embeddings, "):
        load_huggingface(tmp_path, trust_remote_code=True)


def test_tokenizers_that_do_not_match_are_refused(tmp_path: Path, bert_folder: Path) -> None:
    write_checkpoint(tmp_path, "llada", mask_token_id=4)
    with pytest.raises(InputError, match="the tokenizer has 12 tokens but the network has 11: they do not match"):
        load_huggingface(tmp_path, tokenizer=bert_folder, trust_remote_code=True)


def test_a_bert_without_its_tokenizer(bert_folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(bert_folder / name, tmp_path / name)
    with pytest.raises(InputError, match="the mask token is unknown"):
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


def test_an_mdlm_that_depends_on_time_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, "mdlm", time_conditioning=True)
    with pytest.raises(
        InputError, match=r"depends on time \(time_conditioning in config.json\), but masks have no time"
    ):
        load_huggingface(tmp_path, trust_remote_code=True)


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"tokens": 50257, "graph": {"type": "absorb"}, "model": {"type": "ddit", "length": 1024}}, "sedd"),
        ({"tokens": 50257, "model": {"type": "ddit_wot", "length": 1024}}, "radd"),
    ],
)
def test_the_error_for_published_score_networks_says_how_to_wrap_them(
    config: dict[str, Any], family: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match=rf"names no model code .* wrap it in MaskedLanguageModel\(network, '{family}', mask"
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


WRONG_ENTRIES: list[tuple[str, Any]] = [
    *(("mask_token_id", value) for value in (True, 10.7, "10", [10])),
    *(("vocab_size", value) for value in ("11", 11.0, [11])),
    *(("max_position_embeddings", value) for value in ("16", 1e30, [16], True)),
    *(("auto_map", value) for value in ([], ["a.B"], "a.B", {"AutoModel": ["a.B", None]})),
    *(("architectures", value) for value in (5, "BertForMaskedLM", [None], {})),
    *(("model_type", value) for value in (5, ["bert"])),
    *(("quantization_config", value) for value in ("int8", [1])),
    *(("tie_word_embeddings", value) for value in ("false", 0)),
    *(("torch_dtype", value) for value in ("float8_e4m3fn", "foo", 32)),
    ("graph", "absorb"),
    ("model", {"length": "x"}),
]


@pytest.mark.parametrize(("name", "value"), WRONG_ENTRIES, ids=str)
@pytest.mark.parametrize("kind", ["bert", "llada"])
def test_an_entry_of_the_wrong_type_is_named(kind: str, name: str, value: Any, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, kind, **{name: value})
    with pytest.raises(InputError, match=rf"^{name}(\.length)? in config.json must be .*, got [^\n]*$"):
        load_huggingface(tmp_path, trust_remote_code=True)


@pytest.mark.parametrize("kind", ["bert", "llada"])
def test_null_is_absent(kind: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, kind)
    expected = load_huggingface(tmp_path, trust_remote_code=True).fingerprint()
    path = tmp_path / "config.json"
    absent = dict.fromkeys(("quantization_config", "graph", "dplm_type", "tokens", "max_seq_len"))
    path.write_text(json.dumps(json.loads(path.read_text()) | absent))
    assert load_huggingface(tmp_path, trust_remote_code=True).fingerprint() == expected


def test_a_score_network_without_its_noise_is_not_taken_for_another(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"tokens": 10, "model": {"type": "ddit"}, "graph": null}')
    with pytest.raises(InputError, match="SEDD with uniform noise"):
        load_huggingface(tmp_path)


def test_a_revision_is_one_of_a_hub_model(bert_folder: Path) -> None:
    with pytest.raises(InputError, match=r"revision= is an option of hub models, but .* is a folder"):
        load_huggingface(bert_folder, revision="main")


def test_names_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "models" / "small", "bert")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "models" / "small")
    for source in ("~/models/small", "~/models/small/", Path("~/models/small"), ".", "../small", "./"):
        assert load_huggingface(source).name == "small"
    for source, shown in (("~/models/large", "~/models/large"), ("", "''")):
        with pytest.raises(StoreError, match=f"there is no model folder at {shown}"):
            load_huggingface(source)


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
@pytest.mark.parametrize("kind", ["bert", "llada"])
def test_an_adapter_beside_the_weights_is_refused(kind: str, file: str, tmp_path: Path) -> None:
    """Some versions of transformers would load it, others would leave it out."""
    write_checkpoint(tmp_path, kind)
    (tmp_path / file).write_text("{}")
    with pytest.raises(InputError, match=rf"contains an adapter \({file}\): merge it into the weights of its base"):
        load_huggingface(tmp_path, trust_remote_code=True)


@pytest.mark.parametrize("layout", ["cpu", {"": "cpu"}, '{"": "cpu"}', torch.device("cpu"), "cpu:0"])
def test_a_device_map_may_be_one_device(layout: Any, bert_folder: Path) -> None:
    assert next(load_huggingface(bert_folder, device_map=layout).network.parameters()).device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="the message is that of a machine without the device")
@pytest.mark.parametrize("layout", [0, "0", {"": 0}, '{"": 0}', {"": "0"}])
def test_a_device_map_may_be_the_number_of_a_device(layout: Any, bert_folder: Path) -> None:
    with pytest.raises(InputError, match="the device 'cuda:0' is not available here"):
        load_huggingface(bert_folder, device_map=layout)


@pytest.mark.parametrize("layout", [[1], 1.5, True, {}, "", {"": None}])
def test_other_device_maps_are_refused(layout: Any, bert_folder: Path) -> None:
    with pytest.raises(InputError, match="device_map must be a device, such as 0 or 'cuda:1', one of auto, balanced"):
        load_huggingface(bert_folder, device_map=layout)


def test_without_transformers_the_error_states_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r'need the package transformers: pip install "infodis-stats\[hf\]"'):
        load_huggingface(tmp_path)


@pytest.mark.parametrize("name", ["bert", "llada", "diffucoder"])
def test_loading_is_silent(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(tmp_path, name)
    capfd.readouterr()
    load_huggingface(tmp_path, trust_remote_code=True)
    assert capfd.readouterr() == ("", "")
