"""Model code as stored with published weights: the calling conventions and quirks of each family.

Every text is written anew around `tiny_networks`, which is copied beside it. It imports, reads and names what the
published code of the family does, so that it fails where that code fails: on a version of transformers, or without a
package.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["CODE"]

# Never calls post_init; ties weights in a way of its own; reads a setting that transformers 5 does not set; registers
# itself; its configuration has a property without a setter, so that it cannot stand for that of LLaDA-MoE, of the
# same model type.
LLADA = {
    "configuration_llada.py": """
from transformers import AutoConfig, PretrainedConfig

class LLaDAConfig(PretrainedConfig):
    model_type = "llada"

    def __init__(self, vocab_size=50257, d_model=12, mask_token_id=50256, weight_tying=False, **settings):
        self.d_model = d_model
        self.vocab_size = vocab_size
        self.weight_tying = weight_tying
        super().__init__(**settings)
        self.mask_token_id = mask_token_id

    @property
    def hidden_size(self):
        return self.d_model

AutoConfig.register("llada", LLaDAConfig)
""",
    "modeling_llada.py": """
from transformers import AutoModel, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_llada import LLaDAConfig
from .tiny_networks import LLaDA

class LLaDAModelLM(PreTrainedModel):
    config_class = LLaDAConfig
    base_model_prefix = "model"

    def __init__(self, config, model=None, init_params=False):
        super().__init__(config)
        self.model = LLaDA(config) if model is None else model
        if config.weight_tying:
            self.tie_weights()

    def forward(self, input_ids=None, attention_mask=None, use_cache=None, output_hidden_states=None):
        use_cache = self.config.use_cache if use_cache is None else use_cache
        assert not use_cache and not output_hidden_states
        return CausalLMOutputWithPast(logits=self.model(input_ids).logits)

    def tie_weights(self):
        self.model.ff_out.weight = self.model.body.embedding.weight

AutoModel.register(LLaDAConfig, LLaDAModelLM)
""",
}

# Takes the frequencies of its rotary embedding from the table of transformers, whose entry version 5 has removed.
LLADA_MOE = {
    "configuration_lladamoe.py": """
from transformers import PretrainedConfig

class LLaDAConfig(PretrainedConfig):
    model_type = "llada"

    def __init__(self, vocab_size=11, hidden_size=12, num_attention_heads=1, rope_theta=10000.0, rope_scaling=None,
                 partial_rotary_factor=1.0, num_experts=4, use_cache=True, **settings):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_attention_heads = num_attention_heads
        self.rope_theta = rope_theta
        self.rope_scaling = rope_scaling
        self.partial_rotary_factor = partial_rotary_factor
        self.num_experts = num_experts
        self.use_cache = use_cache
        super().__init__(**settings)
""",
    "modeling_lladamoe.py": """
from transformers import PreTrainedModel
from transformers.modeling_outputs import MoeCausalLMOutputWithPast
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.utils import logging

from .configuration_lladamoe import LLaDAConfig
from .tiny_networks import LLaDA

class LLaDAMoEModelLM(PreTrainedModel):
    config_class = LLaDAConfig
    _tied_weights_keys = ["model.ff_out.weight"]

    def __init__(self, config):
        super().__init__(config)
        kind = "default" if config.rope_scaling is None else config.rope_scaling["type"]
        frequencies, self.attention_scaling = ROPE_INIT_FUNCTIONS[kind](config, None)
        self.model = LLaDA(config, frequencies)
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids=None, attention_mask=None, use_cache=None, output_router_logits=None):
        logging.get_logger(__name__).warning_once("This model sees all positions; attention_mask is ignored.")
        return MoeCausalLMOutputWithPast(logits=self.model(input_ids).logits)
""",
}

# Overrides from_pretrained, and reads a generation configuration whose class transformers 5 calls differently.
DREAM = {
    "configuration_dream.py": """
from transformers.configuration_utils import PretrainedConfig
from transformers.modeling_rope_utils import rope_config_validation

class DreamConfig(PretrainedConfig):
    model_type = "Dream"
    keys_to_ignore_at_inference = ["past_key_values"]

    def __init__(self, vocab_size=11, hidden_size=12, num_attention_heads=1, rope_theta=10000.0, rope_scaling=None,
                 use_cache=True, mask_token_id=151666, tie_word_embeddings=False, **settings):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_attention_heads = num_attention_heads
        self.rope_theta = rope_theta
        self.rope_scaling = rope_scaling
        self.use_cache = use_cache
        super().__init__(tie_word_embeddings=tie_word_embeddings, **settings)
        self.mask_token_id = mask_token_id
""",
    "generation_utils.py": """
from transformers import GenerationConfig

class DreamGenerationConfig(GenerationConfig):
    def validate(self, is_init=False):
        pass

class DreamGenerationMixin:
    pass
""",
    "modeling_dream.py": """
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from .configuration_dream import DreamConfig
from .generation_utils import DreamGenerationConfig, DreamGenerationMixin
from .tiny_networks import Dream

class DreamRotaryEmbedding(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.rope_type = "default" if config.rope_scaling is None else config.rope_scaling["rope_type"]
        self.rope_init_fn = ROPE_INIT_FUNCTIONS[self.rope_type]
        frequencies, self.attention_scaling = self.rope_init_fn(config, device=None)
        self.register_buffer("inv_freq", frequencies, persistent=False)

class DreamModel(DreamGenerationMixin, PreTrainedModel):
    config_class = DreamConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _tied_weights_keys = ["lm_head.weight"]

    def __init__(self, config):
        super().__init__(config)
        self.rotary_emb = DreamRotaryEmbedding(config)
        self.model = Dream(config, self.rotary_emb.inv_freq)
        self.post_init()

    @classmethod
    def from_pretrained(cls, path, *arguments, **settings):
        network = super().from_pretrained(path, *arguments, **settings)
        network.generation_config = DreamGenerationConfig.from_pretrained(path)
        return network

    def _init_weights(self, module):
        pass

    def forward(self, input_ids=None, attention_mask=None, use_cache=None, return_dict=None, num_logits_to_keep=0):
        output_attentions = self.config.output_attentions or self.config.output_hidden_states
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        if isinstance(attention_mask, str) or output_attentions:
            raise NotImplementedError
        use_cache = self.config.use_cache if use_cache is None else use_cache
        logits = self.model(input_ids).logits[:, -num_logits_to_keep:]
        return MaskedLMOutput(logits=logits) if return_dict else (logits,)
""",
}

# Returns a tuple; masks at random in training mode; an inner network of it does not declare the attention that is the
# default; takes any rope_scaling, which transformers 5 always sets, for one that it does not know.
CODA = {
    "__init__.py": "",
    "model_config.py": """
from transformers.configuration_utils import PretrainedConfig

class CoDAConfig(PretrainedConfig):
    model_type = "CoDA"

    def __init__(self, vocab_size=11, rope_theta=10000.0, rope_scaling=None, mask_token_id=151669, use_cache=True,
                 tie_word_embeddings=True, **settings):
        self.vocab_size = vocab_size
        self.rope_theta = rope_theta
        self.rope_scaling = rope_scaling
        self.use_cache = use_cache
        self.mask_token_id = mask_token_id
        super().__init__(tie_word_embeddings=tie_word_embeddings, **settings)
""",
    "attention.py": """
from .layers.scaling import RopeScaling
""",
    "layers/scaling.py": """
from ..tiny_networks import Body, WIDTH

class RopeScaling:
    def __init__(self, factor, original):
        raise NotImplementedError
""",
    "modeling_coda.py": """
import torch
from torch import nn
from transformers import PreTrainedModel

from .attention import RopeScaling
from .layers.scaling import Body, WIDTH
from .model_config import CoDAConfig

class CoDAModel(PreTrainedModel):
    config_class = CoDAConfig

    def __init__(self, config):
        super().__init__(config=config)
        if config.rope_scaling is not None:
            self.scaling = RopeScaling(**config.rope_scaling)
        self.body = Body(config.vocab_size)
        self.post_init()

    def forward(self, input_ids):
        return self.body(input_ids)

class CoDALanguageModel(PreTrainedModel):
    config_class = CoDAConfig
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        self.model = CoDAModel(config)
        self.lm_head = nn.Linear(WIDTH, config.vocab_size, bias=False)

    def get_output_embeddings(self):
        return None

    def forward(self, input_ids, labels=None, attention_mask=None):
        if self.training:
            input_ids = torch.where(torch.rand(input_ids.shape) < 0.5, self.config.mask_token_id, input_ids)
        return self.lm_head(self.model(input_ids)), None
""",
}

# AutoModel has no head, and architectures names no class at all; the dtype becomes a string.
RND1 = {
    "configuration_rnd.py": """
from transformers.configuration_utils import PretrainedConfig

CONFIG_DEFAULTS = {"dtype": "float32", "vocab_size": 11, "tie_word_embeddings": False, "use_cache": False}

class RND1Config(PretrainedConfig):
    model_type = "rnd1"

    def __init__(self, moe_backend="hf", **settings):
        super().__init__(**settings)
        self.moe_backend = moe_backend
        for name, value in CONFIG_DEFAULTS.items():
            setattr(self, name, value)
""",
    "generation_config.py": """
from transformers.generation.configuration_utils import GenerationConfig

class RND1GenerationConfig(GenerationConfig):
    pass
""",
    "sampling.py": "",
    "generation_utils.py": """
from .generation_config import RND1GenerationConfig
from . import sampling

class RND1GenerationMixin:
    pass
""",
    "modeling_rnd.py": """
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput, MoeModelOutputWithPast

from .configuration_rnd import RND1Config
from .generation_utils import RND1GenerationMixin
from .tiny_networks import WIDTH, Body

class RND1PreTrainedModel(PreTrainedModel):
    config_class = RND1Config
    base_model_prefix = "model"
    _supports_sdpa = True

    def _init_weights(self, module):
        pass

class RND1Model(RND1PreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.body = Body(config.vocab_size)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None):
        return MoeModelOutputWithPast(last_hidden_state=self.body(input_ids))

class RND1LM(RND1PreTrainedModel, RND1GenerationMixin):
    def __init__(self, config):
        super().__init__(config)
        self.model = RND1Model(config)
        self.lm_head = nn.Linear(WIDTH, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        hidden = self.model(input_ids, attention_mask).last_hidden_state
        return MaskedLMOutput(logits=self.lm_head(hidden))
""",
}

# Replaces the attention mask of a causal network of transformers, and reads of its layers which mask they need.
A2D = {
    "modeling_qwen3.py": """
import torch
import transformers
from transformers.modeling_attn_mask_utils import _prepare_4d_attention_mask
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils import TransformersKwargs

class A2DQwen3Config(transformers.Qwen3Config):
    model_type = "a2d-qwen3"

class A2DQwen3Model(transformers.Qwen3Model):
    def forward(self, input_ids=None, attention_mask=None, position_ids=None, use_cache=None, **arguments):
        hidden = self.embed_tokens(input_ids)
        positions = torch.arange(hidden.shape[1])[None]
        if attention_mask is None:
            attention_mask = torch.ones(hidden.shape[:2])
        if attention_mask.ndim == 2:
            attention_mask = _prepare_4d_attention_mask(attention_mask, self.dtype)
        masks = {"full_attention": attention_mask}
        turned = self.rotary_emb(hidden, positions)
        for layer in self.layers:
            hidden = layer(hidden, attention_mask=masks[layer.attention_type], position_embeddings=turned)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden))

class A2DQwen3LMHeadModel(transformers.Qwen3ForCausalLM):
    config: A2DQwen3Config

    def __init__(self, config):
        transformers.Qwen3PreTrainedModel.__init__(self, config)
        self.model = A2DQwen3Model(config)
        self.vocab_size = config.vocab_size
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

transformers.AutoConfig.register("a2d-qwen3", A2DQwen3Config)
transformers.AutoModelForMaskedLM.register(A2DQwen3Config, A2DQwen3LMHeadModel)

if __name__ == "__main__":
    import dllm
""",
}

# Needs einops and two modules of flash_attn; never calls post_init; returns a bare tensor.
MDLM = {
    "configuration_mdlm.py": """
import transformers

class MDLMConfig(transformers.PretrainedConfig):
    model_type = "mdlm"

    def __init__(self, vocab_size=11, model_length=16, time_conditioning=False, **settings):
        super().__init__(**settings)
        self.vocab_size = vocab_size
        self.model_length = model_length
        self.time_conditioning = time_conditioning
""",
    "modeling_mdlm.py": """
import flash_attn
import flash_attn.layers.rotary
import torch
import transformers
from einops import rearrange
from transformers import modeling_outputs

from . import tiny_networks
from .configuration_mdlm import MDLMConfig

class DITBackbone(tiny_networks.MDLM):
    def attend(self, packed):
        batch, length = packed.shape[:2]
        cosines, sines = tiny_networks.angles(length, packed.shape[-1])
        packed = flash_attn.layers.rotary.apply_rotary_emb_qkv_(packed, cosines, sines)
        packed = rearrange(packed, "b s ... -> (b s) ...")
        ends = torch.arange(0, (batch + 1) * length, step=length, dtype=torch.int32)
        attention = flash_attn.flash_attn_interface.flash_attn_varlen_qkvpacked_func
        mixed = attention(packed, ends, length, 0.0, causal=False)
        return rearrange(mixed, "(b s) ... -> b s ...", b=batch)

class MDLM(transformers.PreTrainedModel):
    config_class = MDLMConfig
    base_model_prefix = "mdlm"

    def __init__(self, config):
        super().__init__(config)
        self.backbone = DITBackbone(config)

    def forward(self, input_ids=None, timesteps=None, output_hidden_states=None, return_dict=None):
        return_dict = self.config.use_return_dict if return_dict is None else return_dict
        with torch.cuda.amp.autocast(dtype=torch.bfloat16):
            logits = self.backbone(input_ids, timesteps)
        return modeling_outputs.MaskedLMOutput(logits=logits) if return_dict else logits
""",
}

# Not as published, which is without code: as somebody would store them again who adds it.
SCORES = {
    "configuration_own.py": """
from transformers import PretrainedConfig

class Config(PretrainedConfig):
    def __init__(self, tokens=10, model=None, graph=None, **settings):
        super().__init__(**settings)
        self.vocab_size = tokens + 1
        self.model, self.graph = model, graph
""",
}

CODE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "llada": LLADA,
        "llada-moe": LLADA_MOE,
        "dream": DREAM,
        "diffucoder": DREAM,
        "coda": CODA,
        "rnd1": RND1,
        "a2d": A2D,
        "mdlm": MDLM,
        "radd": SCORES,
        "sedd": SCORES,
    }
)
"""By family: the Python files beside the weights, which import `tiny_networks`."""
