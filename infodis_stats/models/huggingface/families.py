"""The families of masked and discrete diffusion models, one value each: the supported ones and the refused ones."""

from collections.abc import Iterable, Mapping

from estimators import InputError
from infodis_stats.models.huggingface.family import (
    Family,
    absorbing_noise,
    full_attention,
    mask_given,
    no_noise,
    sampling,
)

__all__ = ["BLOCKS", "FAMILIES", "OWN_CLASS", "REFUSED", "family_named"]

OWN_CLASS = (
    "write a class with the method token_nll(tokens, masked), which returns -log p of each masked token in nats and 0 "
    "elsewhere"
)


def _by_name(families: Iterable[Family]) -> Mapping[str, Family]:
    return {family.name: family for family in families}


FAMILIES = _by_name(
    (
        Family(
            name="llada",
            about="LLaDA, LLaDA-1.5: plain logits, mask included in the softmax",
            source="ML-GSAI/LLaDA, get_log_likelihood.py",
            architectures=("LLaDAModelLM",),
            model_types=("llada",),
            mask_words=("<|mdm_mask|>",),
            published_masks={"LLaDAModelLM": (126336, 126464)},
        ),
        Family(
            name="llada-moe",
            about="LLaDA-MoE: the conventions of LLaDA with another mask",
            source="inclusionAI/LLaDA-MoE-7B-A1B-Base, model card",
            architectures=("LLaDAMoEModelLM", "LLaDAMoEModel"),
            mask_words=("<|mask|>",),
            published_masks={"LLaDAMoEModelLM": (156895, 157184), "LLaDAMoEModel": (156895, 157184)},
        ),
        Family(
            name="dream",
            about="Dream, Dream-Coder, DiffuCoder: logits shifted by one position, BOS before every sequence",
            source="DreamLM/Dream, eval/eval.py",
            architectures=("DreamModel",),
            model_types=("dream",),
            shifted=True,
            specials="bos",
            mask_words=("<|mask|>",),
        ),
        Family(
            name="coda",
            about="CoDA: logits shifted by one position, nothing before a sequence",
            source="SalesforceAIResearch/CoDA, CoDALanguageModel/modeling_coda.py",
            architectures=("CoDALanguageModel",),
            model_types=("coda",),
            shifted=True,
            mask_words=("<|mask|>",),
        ),
        Family(
            name="rnd1",
            about="RND1: logits shifted by one position, nothing before a sequence",
            source="RadicalNumerics/RND1, rnd/sampling.py",
            shifted=True,
            architectures=("RND1LM", "RND1"),
            model_types=("rnd1",),
            mask_words=("<|mask|>",),
        ),
        Family(
            name="a2d",
            about="A2D: autoregressive models converted to diffusion and trained without blocks, plain logits",
            source="ZHZisZZ/dllm, dllm/core/trainers/mdlm.py",
            mask_words=("<|mask|>",),
        ),
        Family(
            name="diffullama",
            about="DiffuLLaMA, DiffuGPT: an autoregressive architecture with full attention, logits shifted",
            source="HKUNLP/DiffuLLaMA, model.py",
            shifted=True,
            specials="bos",
            causal=True,
            arguments=full_attention,
        ),
        Family(
            name="mdlm",
            about="MDLM: unused time input, mask excluded from the softmax (SUBS)",
            source="kuleshov-group/mdlm, diffusion.py",
            architectures=("MDLM",),
            model_types=("mdlm",),
            exclude_mask=True,
            noise=no_noise,
        ),
        Family(
            name="smdm",
            about="SMDM: plain logits, no output for the mask",
            source="ML-GSAI/SMDM, evaluate_diff.py",
            exclude_mask=True,
        ),
        Family(
            name="radd",
            about="RADD: log-probabilities, no time input",
            source="ML-GSAI/RADD, losses.py",
            exclude_mask=True,
            mask="last",
        ),
        Family(
            name="sedd",
            about="SEDD with absorbing noise: log-scores given the total noise",
            source="louaaron/Score-Entropy-Discrete-Diffusion, losses.py",
            exclude_mask=True,
            noise=absorbing_noise,
            mask="last",
        ),
        Family(
            name="bd3lm",
            about="BD3-LM: block diffusion, BOS before every sequence, mask excluded from the softmax (SUBS)",
            source="kuleshov-group/bd3lms, diffusion.py and models/hf/modeling_bd3lm.py",
            architectures=("BD3LM",),
            model_types=("bd3lm",),
            exclude_mask=True,
            specials="bos",
            noise=no_noise,
            arguments=sampling,
            block_sizes=(4, 8, 16),
        ),
        Family(
            name="sdar",
            about="SDAR, SDAR-MoE, TraDo: block diffusion, plain logits",
            source="JetAstra/SDAR, generate.py",
            architectures=("SDARForCausalLM", "SDARModel", "SDARMoeForCausalLM", "SDARMoeModel"),
            model_types=("sdar", "sdar_moe"),
            mask_words=("<|MASK|>",),
            arguments=mask_given,
            block_sizes=(4, 8, 16, 32, 64),
        ),
        Family(
            name="llada2",
            about="LLaDA2.0, LLaDA2.1: block diffusion, plain logits",
            source="inclusionAI/dFactory, tasks/train_llada2_bd.py",
            architectures=("LLaDA2MoeModelLM", "LLaDA2MoeModel"),
            model_types=("llada2_moe", "llada2_moe_veomni", "llada21_moe"),
            mask_words=("<|mask|>",),
            published_masks={"LLaDA2MoeModelLM": (156895, 157184)},
            block_sizes=(32,),
        ),
        Family(
            name="fast-dllm-v2",
            about="Fast-dLLM v2: block diffusion, logits shifted by one position",
            source="NVlabs/Fast-dLLM, v2, and the code beside its weights",
            shifted=True,
            architectures=("Fast_dLLM_QwenForCausalLM", "Fast_dLLM_QwenModel"),
            model_types=("fast_dllm_qwen",),
            mask_words=("|<MASK>|",),
            block_sizes=(32,),
        ),
        Family(
            name="a2d-bd3lm",
            about="A2D: autoregressive models converted to diffusion and trained with blocks, plain logits",
            source="ZHZisZZ/dllm, dllm/core/trainers/bd3lm.py",
            causal=True,
            mask_words=("<|mask|>",),
            block_sizes=(32,),
        ),
        Family(
            name="dplm",
            about="DPLM: a protein model with the special tokens of ESM",
            source="bytedance/dplm, src/byprot/models/dplm/dplm.py",
            architectures=("EsmForDPLM",),
            specials="tokenizer",
        ),
        Family(
            name="bert",
            about="BERT, RoBERTa, ALBERT, ESM, ESM-C and other masked language models of transformers",
            source="huggingface/transformers, BertForMaskedLM",
            specials="tokenizer",
        ),
    )
)
"""The supported families by name."""

BLOCKS = (
    "it is trained by block diffusion, and how its network is called is not known here: a plain call shows each block "
    "the later ones, so its numbers are not likelihoods; use a checkpoint of a family with blocks"
)
UNIFORM = (
    "it is trained with uniform noise, which replaces tokens instead of masking them, so it does not predict masked "
    "tokens; load_model makes a score model of it, and so does NoisedLanguageModel of a network that you have built"
)

REFUSED = _by_name(
    (
        Family(
            name="e2d2",
            about="E2D2",
            architectures=("E2D2",),
            model_types=("e2d2",),
            refused=(
                "it is trained by block diffusion with an encoder of clean tokens, and a call of its network masks "
                "tokens at random, so it gives no likelihoods; use a checkpoint of a family with blocks"
            ),
        ),
        Family(
            name="nemotron-labs-diffusion",
            about="Nemotron Labs Diffusion",
            model_types=("nemotron_labs_diffusion",),
            refused=BLOCKS,
        ),
        Family(
            name="wedlm",
            about="WeDLM",
            architectures=("WeDLMForCausalLM",),
            model_types=("wedlm",),
            refused=(
                "it is a causal network that decodes masks in a window, so a mask does not see the tokens after it; "
                "use a checkpoint with bidirectional attention"
            ),
        ),
        Family(
            name="editflow",
            about="EditFlow",
            model_types=tuple(f"editflow-{kind}" for kind in ("qwen2", "qwen3", "llada", "dream", "modernbert")),
            refused=(
                "it inserts, deletes and substitutes tokens instead of filling masks; use a checkpoint that fills masks"
            ),
        ),
        Family(
            name="dream-reasoner",
            about="Dream Reasoner",
            architectures=("DreamForCausalLM",),
            refused=BLOCKS,
        ),
        Family(
            name="dplm2",
            about="DPLM-2",
            architectures=("EsmForDPLM2", "EsmForDPLM2Bit"),
            refused=(
                "its sequences contain a structure and a protein side by side, and a plain call numbers their "
                f"positions wrongly; use DPLM, or {OWN_CLASS}"
            ),
        ),
        Family(
            name="diffusion-gemma",
            about="DiffusionGemma",
            architectures=("DiffusionGemmaForBlockDiffusion", "DiffusionGemmaModel"),
            model_types=("diffusion_gemma",),
            refused=(
                "it is trained by block diffusion with uniform noise and is not told how much there is, so neither its "
                "predictions nor its sampler define a likelihood; use a checkpoint trained with masks, or Duo or UDLM"
            ),
        ),
        Family(name="udlm", about="UDLM", architectures=("UDLM",), model_types=("udlm",), refused=UNIFORM),
        Family(name="duo", about="Duo", architectures=("DUO",), model_types=("duo",), refused=UNIFORM),
        Family(
            name="gidd",
            about="GIDD",
            architectures=("GiddForDiffusionLM",),  # and any with the key p_uniform: "DIT" names others too
            model_types=("gidd",),
            refused=(
                "it is trained with a mixture of masking and uniform noise, so its predictions at masks are not "
                "conditional probabilities; load_model makes a score model of it"
            ),
        ),
        Family(name="sedd-uniform", about="SEDD with uniform noise", refused=UNIFORM),
        # Networks that transformers lists as masked language models.
        Family(
            name="bart",
            about="BART",
            model_types=("bart", "mbart", "mvp"),
            refused=f"it is an encoder with a decoder, which a plain call gives the shifted input; {OWN_CLASS}",
        ),
        Family(
            name="perceiver",
            about="Perceiver",
            model_types=("perceiver",),
            refused=f"it returns logits for its maximum length, whatever the length of its input; {OWN_CLASS}",
        ),
        Family(
            name="reformer",
            about="Reformer",
            model_types=("reformer",),
            refused="its attention is random: two identical calls differ, so it has no likelihood",
        ),
        Family(
            name="mra",
            about="MRA",
            model_types=("mra",),
            refused="its attention is computed by its own CUDA kernel and is 0 without it",
        ),
        Family(
            name="roc-bert",
            about="RoCBert",
            model_types=("roc_bert",),
            refused=f"it needs the shape and the pronunciation of each character besides its token; {OWN_CLASS}",
        ),
        Family(
            name="xlm-languages",
            about="XLM with several languages",
            refused=f"it needs the language of each token, which a plain call does not give; {OWN_CLASS}",
        ),
        Family(
            name="wav2vec2",
            about="Wav2Vec2",
            model_types=("wav2vec2",),
            refused="it reads sound, not tokens",
        ),
    )
)
"""The refused families by name."""


def family_named(name: str) -> Family:
    """Return the family with a name; `InputError` if there is none or it is not supported."""
    if name in REFUSED:
        raise InputError(f"family {name!r} is not supported: {REFUSED[name].refused}")
    if name not in FAMILIES:
        raise InputError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]
