"""Every network that transformers lists among the masked language models: its own numbers, or a reason to refuse it."""

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from estimators import InputError, ModelError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface, masked_model
from infodis_stats.models.probes import attention_pattern
from tests.support.checkpoints import word_tokenizer
from tests.support.direct import between, randomised, slow_nll

transformers = pytest.importorskip("transformers")

LISTED = transformers.models.auto.modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
SMALL = MappingProxyType(
    {
        "vocab_size": 13,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 32,
        "pad_token_id": 1,
    }
)
XLM = {
    "n_words": 13,
    "emb_dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "max_position_embeddings": 32,
    "mask_token_id": 12,
    "pad_index": 1,
    "pad_token_id": 1,
    "eos_index": 2,
}
DISTILLED = {"vocab_size": 13, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16, "max_position_embeddings": 32}
ENDS = {"bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}
# The sizes of small networks; those that are not here have the usual names.
ALONE = {"distilbert": DISTILLED, "flaubert": XLM, "xlm": XLM}
EXTRA: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8},
    "big_bird": {"attention_type": "original_full"},
    "convbert": {"embedding_size": 8},
    "electra": {"embedding_size": 8},
    "esm": {"mask_token_id": 12, "token_dropout": True, "position_embedding_type": "rotary"},
    "esmc": {"mask_token_id": 12, "head_dim": 8, "num_key_value_heads": 2},
    "eurobert": {**ENDS, "mask_token_id": 12, "num_key_value_heads": 2},
    "jina_embeddings_v3": {"lora_adaptations": ["text-matching"]},
    "longformer": {"attention_window": [8, 8]},
    "luke": {"entity_vocab_size": 4, "entity_emb_size": 8},
    "mega": {"bidirectional": True, "ema_projection_size": 4, "shared_representation_size": 8},
    "mobilebert": {"embedding_size": 8, "intra_bottleneck_size": 16, "num_feedforward_networks": 1},
    "modernbert": ENDS,
    "nystromformer": {"num_landmarks": 64, "segment_means_seq_len": 64, "conv_kernel_size": 3},
    "rembert": {"input_embedding_size": 8, "output_embedding_size": 8},
    "squeezebert": {"embedding_size": 16},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "yoso": {"use_expectation": True},
}
# What is said of those that cannot be used.
REFUSED = {
    "bart": "an encoder with a decoder, which a plain call gives the shifted input",
    "mbart": "an encoder with a decoder",
    "mvp": "an encoder with a decoder",
    "perceiver": "returns logits for its maximum length, whatever the length of its input",
    "reformer": "s attention is random: two identical calls differ",
    "mra": "attention is computed by its own CUDA kernel and is 0 without it",
    "roc_bert": "needs the shape and the pronunciation of each character",
    "wav2vec2": "reads sound",
}
# Networks for images and text, for pages and tables, one that needs another package, and one for three tokens or more.
LEFT_OUT = {"modernvbert", "neomme", "ultravbert", "qdqbert", "layoutlm", "tapas", "funnel"}
USED = sorted(set(LISTED) - set(REFUSED) - LEFT_OUT)
# They take no attention mask, or padding changes their losses.
UNPADDED = {"canine", "convbert", "flaubert", "fnet", "nystromformer", "xlm", "yoso"}
# They are near the tolerance, or take padding in transformers 5 alone.
EITHER = {"esm", "mobilebert"}

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script(_method)?. is deprecated:DeprecationWarning")


def network(kind: str, **settings: Any) -> nn.Module:
    sizes = dict(ALONE[kind]) if kind in ALONE else {**SMALL, **EXTRA.get(kind, {})}
    config = transformers.AutoConfig.for_model(kind, **{**sizes, **settings})
    torch.manual_seed(3)
    return randomised(transformers.AutoModelForMaskedLM.from_config(config), std=0.7)


def save(folder: Path, net: nn.Module) -> Path:
    net.save_pretrained(folder)
    word_tokenizer(folder, bos="<s>", eos="</s>", mask="<mask>")
    return folder


def sequences(length: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    masked = torch.rand(3, length, generator=generator) < 0.5
    masked[0] = True
    return torch.randint(4, 12, (3, length), generator=generator), masked


def check(model: MaskedLanguageModel, net: nn.Module, length: int) -> None:
    tokens, masked = sequences(length)
    losses = model.token_nll(tokens, masked)
    expected = slow_nll(between((0,), (2,)), net, tokens, masked, mask=12)
    torch.testing.assert_close(losses, expected, atol=2e-5, rtol=0)
    wrong = slow_nll(between((0,), ()), net, tokens, masked, mask=12)
    assert (wrong - losses).abs().max() > 1e-4


def check_padding(model: MaskedLanguageModel) -> None:
    """The losses of a padded row are those of the row alone, whatever stands in the padding."""
    tokens, masked = sequences(20)
    lengths = torch.tensor([20, 13, 16])
    padded = torch.arange(20) >= lengths[:, None]
    shown = torch.where(padded, model.mask_id, tokens)
    losses = model.token_nll(shown, masked & ~padded, lengths=lengths)
    for row, length in enumerate(lengths):
        alone = model.token_nll(tokens[row : row + 1, :length], masked[row : row + 1, :length])[0]
        torch.testing.assert_close(losses[row, :length], alone, atol=1e-5, rtol=1e-5)
    assert not losses[padded].any()


@pytest.mark.parametrize("kind", USED)
def test_a_network_of_transformers_gives_its_own_numbers(kind: str, tmp_path: Path) -> None:
    """The same at another batch size and another length, so that padding to blocks does not matter."""
    net = network(kind)
    model = load_huggingface(save(tmp_path, net))
    assert (model.family.name, model.mask_id, model.before, model.after) == ("bert", 12, (0,), (2,))
    for length in (7, 20):
        check(model, net, length)
    assert kind in EITHER or model.takes_padding == (kind not in UNPADDED)
    if model.takes_padding:
        check_padding(model)
    assert attention_pattern(model, cheap=True).pattern == "bidirectional"


@pytest.mark.parametrize("lean", [True, False])
def test_guided_losses_of_padded_rows_are_those_of_the_rows_alone(lean: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = MaskedLanguageModel(network("bert"), "bert", mask_id=12, length=32, before=(0,), after=(2,), guidance=1.5)
    assert model.takes_padding
    if not lean:
        model.head = None
        monkeypatch.setattr(masked_model, "FULL_LOGITS", 1)  # row by row
    tokens, masked = sequences(9)
    context = torch.arange(9) < torch.tensor([[2], [1], [3]])
    lengths = torch.tensor([7, 9, 8])
    masked &= ~context & (torch.arange(9) < lengths[:, None])
    losses = model.token_nll(tokens, masked, context, lengths=lengths)
    for row, length in enumerate(lengths):
        part = slice(row, row + 1), slice(0, length)
        alone = model.token_nll(tokens[part], masked[part], context[part])
        torch.testing.assert_close(losses[part], alone, atol=1e-5, rtol=1e-5)


def test_in_half_precision_rows_are_not_padded() -> None:
    model = MaskedLanguageModel(network("bert").bfloat16(), "bert", mask_id=12, length=32)
    assert not model.takes_padding


def test_every_kind_is_used_or_left_out_for_a_reason() -> None:
    """A kind that is refused or left out is one of transformers."""
    old = {"mega", "nezha", "qdqbert", "wav2vec2"}
    new = {"modernvbert", "neomme", "ultravbert"}
    assert set(REFUSED) | LEFT_OUT <= set(LISTED) | old | new


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize(
    "options", [{}, {"family": "bert", "mask_id": 12, "before": (), "after": ()}], ids=["", "named"]
)
def test_a_network_whose_plain_call_does_not_predict_masks_is_refused(
    kind: str, options: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "{kind}", "vocab_size": 13}}')
    with pytest.raises(InputError, match=f"cannot be used as a masked model: it.*{REFUSED[kind]}"):
        load_huggingface(tmp_path, **options)


SIZES_OF_REFUSED: dict[str, dict[str, Any]] = {
    "bart": {
        "vocab_size": 13,
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "max_position_embeddings": 32,
    },
    "mra": {**SMALL, "max_position_embeddings": 64},
    "roc_bert": {
        **SMALL,
        "pronunciation_vocab_size": 5,
        "pronunciation_embed_dim": 4,
        "shape_vocab_size": 5,
        "shape_embed_dim": 4,
    },
}


def test_control_an_encoder_and_a_decoder_does_not_predict_its_input() -> None:
    """A masked input for the encoder and the tokens for the decoder give other logits than a plain call."""
    net = _refused("bart")
    row = torch.tensor([[0, 5, 12, 7, 2]])
    with torch.no_grad():
        plain = net(row).logits
        own = net(row, decoder_input_ids=torch.tensor([[2, 0, 5, 6, 7]])).logits
    assert (plain - own).abs().max() > 0.01


def test_control_no_token_of_an_mra_depends_on_another() -> None:
    net = _refused("mra")
    row = torch.arange(4, 12)[None]
    with torch.no_grad():
        moved = (net(row).logits - net(torch.cat([row[:, :1], row[:, 1:].flip(1)], dim=1)).logits)[0, 0]
    assert moved.abs().max() < 1e-5


def test_control_a_roc_bert_depends_on_shapes_and_pronunciations() -> None:
    net = _refused("roc_bert")
    row = torch.arange(4, 12)[None]
    parts = torch.arange(8)[None] % 5
    with torch.no_grad():
        moved = net(row, input_shape_ids=parts, input_pronunciation_ids=parts).logits - net(row).logits
    assert moved.abs().max() > 0.01


def _refused(kind: str) -> nn.Module:
    torch.manual_seed(3)
    config = transformers.AutoConfig.for_model(kind, **SIZES_OF_REFUSED[kind])
    return randomised(transformers.AutoModelForMaskedLM.from_config(config), std=0.7)


@pytest.mark.parametrize("kind", ["xlm", "flaubert"])
def test_a_network_that_needs_languages_is_refused(kind: str, tmp_path: Path) -> None:
    net = network(kind, n_langs=3, use_lang_emb=True)
    row = torch.arange(4, 12)[None]
    with torch.no_grad():
        assert (net(row, langs=torch.ones_like(row)).logits - net(row).logits).abs().max() > 0.01
    save(tmp_path, net)
    with pytest.raises(InputError, match=r"XLM with several languages.* it needs the language of each token"):
        load_huggingface(tmp_path)


def test_several_languages_without_embeddings_of_them_are_usable(tmp_path: Path) -> None:
    net = network("xlm", n_langs=3, use_lang_emb=False)
    check(load_huggingface(save(tmp_path, net)), net, 7)


def test_an_xmod_without_a_language_says_so(tmp_path: Path) -> None:
    save(tmp_path, network("xmod", default_language=None))
    with pytest.raises(ModelError, match=r"Input language unknown. Please call `XmodPreTrainedModel.set_default"):
        load_huggingface(tmp_path)


def test_a_big_bird_takes_sequences_that_it_reads_with_full_attention(tmp_path: Path) -> None:
    """A longer one would get the attention that earlier calls have left."""
    sizes = {"attention_type": "block_sparse", "block_size": 2, "num_random_blocks": 1, "max_position_embeddings": 64}
    model = load_huggingface(save(tmp_path, network("big_bird", **sizes)))
    assert model.longest == (5 + 2) * 2 - 2
    check(model, network("big_bird", **{**sizes, "attention_type": "original_full"}), 12)
    tokens, masked = sequences(13)
    with pytest.raises(InputError, match="a sequence of 13 tokens exceeds the model's maximum of 12"):
        model.token_nll(tokens, masked)
    full = load_huggingface(save(tmp_path, network("big_bird", **{**sizes, "attention_type": "original_full"})))
    assert full.longest == 62


def test_control_a_big_bird_forgets_its_sparse_attention() -> None:
    sizes = {"attention_type": "block_sparse", "block_size": 2, "num_random_blocks": 1, "max_position_embeddings": 64}
    net = network("big_bird", **sizes)
    row = torch.randint(4, 12, (1, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = net(row).logits
        assert torch.equal(net(row).logits, before)
        net(row[:, :8])
        assert (net(row).logits - before).abs().max() > 0.01


@pytest.mark.parametrize("length", [1, 9, 30])
def test_a_longformer_sees_its_window(length: int, tmp_path: Path) -> None:
    """Local attention pads to whole windows inside, without a trace in the numbers."""
    net = network("longformer", max_position_embeddings=40)
    check_length(load_huggingface(save(tmp_path, net)), net, length)


def check_length(model: MaskedLanguageModel, net: nn.Module, length: int) -> None:
    tokens, masked = sequences(length)
    expected = slow_nll(between((0,), (2,)), net, tokens, masked, mask=12)
    torch.testing.assert_close(model.token_nll(tokens, masked), expected, atol=2e-5, rtol=0)


def test_token_types_are_zero_where_none_are_given(tmp_path: Path) -> None:
    """A single sentence needs none."""
    net = network("bert")
    model = load_huggingface(save(tmp_path, net))
    tokens, masked = sequences(7)
    inputs = model.inputs(tokens, masked)
    with torch.no_grad():
        torch.testing.assert_close(net(inputs).logits, net(inputs, token_type_ids=torch.zeros_like(inputs)).logits)
        assert (net(inputs).logits - net(inputs, token_type_ids=torch.ones_like(inputs)).logits).abs().max() > 0.01
