import numpy as np
import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from estimators import InputError, ModelError, TokenError
from infodis_stats.models.huggingface import FAMILIES, MaskedLanguageModel
from infodis_stats.models.huggingface.family import absorbing_noise
from infodis_stats.models.huggingface.recognition import find_family
from tests.support.direct import BOS, DIRECT, MASK, NETWORKS, llada, network, slow_nll


def model(family: str, **changes: object) -> MaskedLanguageModel:
    before = (BOS,) if family == "dream" else ()
    return MaskedLanguageModel(network(family), family, **{"mask_id": MASK, "length": 16, "before": before, **changes})


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 9, (6, 7), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def masked() -> Tensor:
    masked = torch.rand(6, 7, generator=torch.Generator().manual_seed(2)) < 0.5
    masked[0], masked[1], masked[2, 0] = True, False, True
    return masked


@pytest.mark.parametrize("family", NETWORKS)
def test_token_nll_equals_a_direct_computation(family: str, tokens: Tensor, masked: Tensor) -> None:
    made = model(family)
    assert made.lean
    losses = made.token_nll(tokens, masked)
    torch.testing.assert_close(losses, slow_nll(DIRECT[family], made.network, tokens, masked), atol=2e-6, rtol=2e-6)
    assert losses.dtype == torch.float32
    assert (losses[~masked] == 0).all()


@pytest.mark.parametrize(
    ("family", "wrong"),
    [
        ("dream", llada),  # no shift, no BOS
        ("dream", lambda net, row: net(row).logits.roll(1, dims=1).log_softmax(-1)),  # shift, no BOS
        ("mdlm", lambda net, row: net(row, torch.zeros(1)).log_softmax(-1)),  # the mask in the softmax
        ("mdlm", lambda net, row: net(row, torch.ones(1))[:, :, :-1].log_softmax(-1)),  # another time
        ("llada", lambda net, row: net(row).logits[:, :, :-1].log_softmax(-1)),  # the mask excluded from the softmax
        ("radd", lambda net, row: net(row).log_softmax(-1)),  # the mask in the softmax
        ("sedd", lambda net, row: net(row, torch.ones(1))[:, :, :-1].log_softmax(-1)),  # another noise level
        ("sedd", lambda net, row: net(row, absorbing_noise(row == MASK)).log_softmax(-1)),  # the mask in the softmax
        ("smdm", lambda net, row: net(row).roll(1, dims=1).log_softmax(-1)),  # shift
    ],
)
def test_control_other_conventions_give_different_numbers(family: str, wrong, tokens: Tensor, masked: Tensor) -> None:
    made = model(family)
    difference = made.token_nll(tokens, masked) - slow_nll(wrong, made.network, tokens, masked)
    assert difference.abs().max() > 0.05


def test_excluding_the_mask_from_the_softmax_is_optional(tokens: Tensor, masked: Tensor) -> None:
    without, plain = model("llada", exclude_mask=True), model("llada")
    expected = slow_nll(lambda net, row: net(row).logits[:, :, :-1].log_softmax(-1), plain.network, tokens, masked)
    torch.testing.assert_close(without.token_nll(tokens, masked), expected, atol=2e-6, rtol=2e-6)
    assert {name for name, family in FAMILIES.items() if family.exclude_mask} == {
        "mdlm",
        "smdm",
        "radd",
        "sedd",
        "bd3lm",
    }
    for family in ("radd", "sedd"):
        with pytest.raises(
            InputError, match=f"exclude_mask must be True for family '{family}': its last output is not a probability"
        ):
            model(family, exclude_mask=False)
    # Excluding a token can only raise the probability of the others.
    assert (without.token_nll(tokens, masked) <= plain.token_nll(tokens, masked)).all()


@pytest.mark.parametrize("family", NETWORKS)
def test_a_row_does_not_depend_on_its_batch(family: str, tokens: Tensor, masked: Tensor) -> None:
    made = model(family)
    together = made.token_nll(tokens, masked)
    alone = torch.cat([made.token_nll(tokens[[row]], masked[[row]]) for row in range(len(tokens))])
    torch.testing.assert_close(together, alone, atol=2e-6, rtol=2e-6)


class ExactScores(nn.Module):
    """The exact log-scores of a law under absorbing noise, log of p(token | unmasked) / (exp(sigma) - 1)."""

    def __init__(self, law: ids.MarkovChain, size: int) -> None:
        super().__init__()
        self.law, self.size = law, size

    def forward(self, indices: Tensor, sigma: Tensor) -> Tensor:
        masked = indices == self.size
        scores = torch.zeros(*indices.shape, self.size + 1)
        for token in range(self.size):
            tokens = torch.where(masked, token, indices)
            for position in range(indices.shape[1]):
                alone = masked.clone()
                scores[:, position, token] = -self.law.token_nll(tokens, alone)[:, position].float()
        return scores - torch.expm1(sigma).log()[:, None, None]


def test_exact_scores_give_the_exact_conditionals_at_any_noise() -> None:
    law = ids.MarkovChain.random(order=1, alphabet="ABC", seed=3)
    tokens = torch.from_numpy(law.sample(5, length=4, seed=1))
    masked = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]]).bool()
    made = MaskedLanguageModel(ExactScores(law, 3), "sedd", mask_id=3, length=8)
    assert not made.lean
    torch.testing.assert_close(made.token_nll(tokens, masked), law.token_nll(tokens, masked).float())


def test_the_noise_level_matches_the_fraction_masked() -> None:
    masked = torch.arange(10)[None] < torch.tensor([[3], [10], [0]])
    rates = 1 - torch.exp(-absorbing_noise(masked))
    torch.testing.assert_close(rates, torch.tensor([0.3, 0.999, 0.001]))


def test_estimators_accept_these_models(tokens: Tensor) -> None:
    made = model("mdlm")
    rows = tokens.numpy()[:2, :4]
    estimate = ids.estimate_nll(made, rows, "exhaustive", passes=15, replicates=2, seed=0, context=1)
    assert estimate["nll"].shape == (2,)
    rows[1, 2] = MASK
    with pytest.raises(InputError, match=r"^sequence 1, position 2: token 10 is the mask token"):
        ids.estimate_nll(made, rows, "time-free", passes=4, replicates=2, seed=0)


@pytest.mark.parametrize(
    ("family", "row", "hidden", "position", "problem"),
    [
        ("llada", [1, MASK, 3], [2], 1, "token 10 is the mask token"),
        ("llada", [1, 2, 11], [0], 2, "token 11 is outside the model's 11 tokens"),
        ("llada", [-1, 2, 3], [2], 0, "token -1 is outside"),
        ("dream", [BOS, 2, 3], [2], 0, "token 9 is a special token that the model adds to every sequence"),
    ],
)
def test_tokens_that_cannot_be_scored(family: str, row: list[int], hidden: list[int], position: int, problem: str):
    tokens = torch.tensor([[1, 2, 3], row])
    masked = torch.zeros(2, 3, dtype=torch.bool)
    masked[:, hidden] = True
    with pytest.raises(TokenError, match=problem) as caught:
        model(family).token_nll(tokens, masked)
    assert (caught.value.row, caught.value.position) == (1, position)


def test_shifted_logits_without_bos_cannot_score_the_first_token(tokens: Tensor, masked: Tensor) -> None:
    bare = model("dream", before=())
    with pytest.raises(TokenError, match="token 4 is at the first position and cannot be scored") as caught:
        bare.token_nll(tokens, masked)
    assert (caught.value.row, caught.value.position) == (0, 0)
    masked[:, 0] = False
    # A BOS given as context is the BOS added by default.
    given = torch.cat([torch.full((6, 1), BOS), tokens], dim=1)
    shown = torch.cat([torch.zeros(6, 1, dtype=torch.bool), masked], dim=1)
    torch.testing.assert_close(bare.token_nll(given, shown)[:, 1:], model("dream").token_nll(tokens, masked))


@pytest.mark.parametrize("family", NETWORKS)
def test_estimates_do_not_depend_on_the_batch_size(family: str, tokens: Tensor) -> None:
    """Each loss differs by at most 1e-5 nats, and the weights of a uniform-count replicate sum to the length."""
    made, length = model(family), tokens.shape[1]
    whole = ids.estimate_nll(made, tokens.numpy(), passes=8, replicates=4)["nll_replicate"]
    for size in (1, 7, 500):
        again = ids.estimate_nll(made, tokens.numpy(), passes=8, replicates=4, batch_size=size)["nll_replicate"]
        np.testing.assert_allclose(again, whole, rtol=0, atol=1e-5 * length)


def test_a_mask_without_an_output_is_the_first_token_after_them() -> None:
    """The head of SMDM ends before the mask, which only the embedding knows."""
    made = model("smdm")
    assert (made.vocabulary, made.mask_id) == (10, 10)
    for family, mask in (("smdm", 11), ("llada", 10)):
        with pytest.raises(InputError, match="mask_id must be "):
            MaskedLanguageModel(Plain(), family, mask_id=mask, length=8)


class Plain(nn.Module):
    """SMDM with the output of LLaDA."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network("smdm")

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.net(input_ids)


def test_special_tokens_count_towards_the_length(tokens: Tensor, masked: Tensor) -> None:
    assert model("dream", length=8).longest == 7
    model("dream", length=8).token_nll(tokens, masked)
    with pytest.raises(InputError, match="a sequence of 7 tokens exceeds the model's maximum of 6"):
        model("dream", length=7).token_nll(tokens, masked)
    with pytest.raises(InputError, match="a length of 1 leaves no room for tokens next to 1 special tokens"):
        model("dream", length=1)


def test_networks_of_another_family_are_refused() -> None:
    with pytest.raises(ModelError, match="cannot be called by the convention of family 'mdlm' with mask 10: "):
        MaskedLanguageModel(network("radd"), "mdlm", mask_id=MASK, length=8)
    with pytest.raises(ModelError, match="the network returned Tensor without logits"):
        MaskedLanguageModel(nn.Flatten(), "llada", mask_id=10, length=8)
    with pytest.raises(InputError, match="mask_id must be one of the network's 11 tokens, got 11"):
        MaskedLanguageModel(Larger(), "llada", mask_id=11, length=8)
    with pytest.raises(InputError, match=r"family must be one of llada, llada-moe, dream, .*, got 'gpt'"):
        MaskedLanguageModel(network("llada"), "gpt", mask_id=MASK, length=8)


class Larger(nn.Module):
    """A network that accepts 12 tokens and predicts 11."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Embedding(12, 4), nn.Linear(4, 11))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layers(tokens)


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"model_type": "llada", "architectures": ["LLaDAModelLM"]}, "llada"),
        ({"model_type": "Dream", "architectures": ["DreamModel"]}, "dream"),
        ({"model_type": "mdlm", "architectures": ["MDLM"], "auto_map": {"AutoModelForMaskedLM": "m.MDLM"}}, "mdlm"),
        ({"tokens": 50257, "graph": {"type": "absorb"}, "model": {"type": "ddit_wot"}}, "radd"),
        ({"tokens": 50257, "graph": {"type": "absorb"}, "model": {"type": "ddit", "scale_by_sigma": True}}, "sedd"),
        ({"model_type": "albert", "architectures": ["AlbertForMaskedLM"]}, "bert"),
        ({"model_type": "bert", "architectures": ["AntiBERTy"]}, "bert"),
        ({"model_type": "llada", "architectures": ["LLaDAMoEModelLM"]}, "llada-moe"),
        ({"model_type": "CoDA", "architectures": ["CoDALanguageModel"]}, "coda"),
        ({"model_type": "rnd1", "architectures": ["RND1"]}, "rnd1"),
        ({"model_type": "esm", "architectures": ["EsmForDPLM"]}, "dplm"),
    ],
)
def test_the_family_is_inferred_from_the_configuration(config: dict[str, object], family: str) -> None:
    assert find_family(config, native={"bert", "albert", "bart"}).name == family


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
        {"model_type": "own", "auto_map": {"AutoModelForMaskedLM": "code.Own"}},
        {},
    ],
)
def test_the_error_for_other_architectures_states_what_to_implement(config: dict[str, object]) -> None:
    with pytest.raises(
        InputError, match=r"belongs to no known family: .* a class with the method token_nll\(tokens, masked\)"
    ):
        find_family(config, native={"bert", "t5"})


def test_score_networks_with_uniform_noise_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"SEDD with uniform noise, .*, cannot be used as a masked model: it is trained with"
    ):
        find_family({"tokens": 9, "graph": {"type": "uniform"}, "model": {"type": "ddit"}})
