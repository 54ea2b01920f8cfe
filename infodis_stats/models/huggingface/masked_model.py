"""A network with the calling conventions of its family, as a text model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from estimators import InfodisError, InputError, ModelError
from estimators.blocks import Blocks
from infodis_stats.models.huggingface.arguments import check_flag, check_integer, check_sequences, check_tokens
from infodis_stats.models.huggingface.block_attention import CleanAttention, MaskedAttention, refuse_other_attention
from infodis_stats.models.huggingface.families import family_named
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.huggingface.head import (
    HeadProbe,
    Reading,
    ScoredTokens,
    agree,
    find_head,
    largest_difference,
    logits_of,
    read_full,
    read_lean,
)
from infodis_stats.models.huggingface.padding import measure_padding
from infodis_stats.models.huggingface.pretrained import PretrainedNetwork
from infodis_stats.models.huggingface.recognition import check_supported
from infodis_stats.models.losses import check_overflow, check_undefined, kind_of, token_distributions, token_losses
from infodis_stats.models.probes import allowed_tokens
from infodis_stats.models.repeats import distinct_rows

__all__ = ["MaskedLanguageModel", "UncheckedModel"]

FULL_PRECISION = "dtype=torch.float32"  # the remedy for an overflow
FULL_LOGITS = 2**27  # logits per call if the head cannot be separated: 512 MB in float32
SHORT, PROBE_LENGTH = 4, 16


class MaskedLanguageModel(PretrainedNetwork):
    """A masked language model of a known family; a `TextModel`.

    `load_huggingface` constructs one from a folder. Use the class directly for a network whose code comes from
    elsewhere, such as the published RADD and SEDD weights.

    Sequences are passed without special tokens. Those in ``before`` and ``after`` are added to each sequence for the
    network; they are never masked or scored. Sequences of different lengths share a call if the network takes an
    attention mask and padding was measured to change nothing but rounding (``takes_padding``).

    On construction the network runs twice on the same input, and is refused if it adds its own noise. Networks trained
    with uniform noise, and those of block diffusion in a family without blocks, are recognised by their class or
    configuration and refused: plain calls of them give numbers that look like likelihoods but are not. `check_model`
    examines a model in detail.

    A network of block diffusion is a ``BlockModel``: a masked token is predicted from its own block and from all
    earlier blocks with nothing masked. One clean pass of each distinct sequence of a call computes their keys and
    values; each row is then a pass of its own length. Nothing is kept between calls. If logits are shifted, the first
    token of a block is predicted by the last output of the clean block before it, as the published samplers decode it.

    If the last layer of the network computes the logits (``lean``), only masked positions pass through it, in chunks.
    Logits have the dtype of the network, and log-sum-exps are computed in float32. The losses of a row agree across
    batches, within 1e-5 nats for a float32 network.

    Parameters
    ----------
    network : Module
        Called by the convention of the family. It is set to evaluation mode and stays on its device.
    family : str or Family
        Calling convention: the name of one of the `FAMILIES`, or a custom `Family`.
    mask_id : int
        Token id of the mask.
    length : int
        Longest input of the network, special tokens included.
    tokenizer : transformers tokenizer, optional
        Required by `encode` and `decode`.
    before, after : sequence of int, default none
        Special tokens before and after every sequence.
    shifted : bool, optional
        Whether the logits for position ``i`` are at output ``i - 1``. Default: that of the family.
    exclude_mask : bool, optional
        Whether the mask is excluded from the softmax, that is, has probability 0. This affects the likelihood. Default:
        that of the family, as in its training. Other special tokens and unused outputs are always included.
    guidance : float, default 0
        Scale ``w`` of classifier-free guidance as LLaDA defines it: the logits are ``u + (w + 1) (l - u)``, where ``u``
        are the logits with the context masked too. It needs the context and runs two forward passes per row. Not for
        networks of block diffusion.
    block_size : int, optional
        Positions of a block, ``before`` included, of a family trained by block diffusion; required by these alone.
    config : mapping, optional
        Description of the network, as part of the fingerprint.
    name : str, optional
        Name in tables; not part of the fingerprint.
    revision : str, optional
        Commit of a model from the hub, for the attributes of results; not part of the fingerprint.

    Attributes
    ----------
    block_size : int or None
        None unless the family was trained by block diffusion.
    block_start : int
        Where a block begins: minus the number of tokens in ``before``.
    head : Linear or None
        The layer that computes the logits; None if it cannot be separated.
    lean : bool
        Whether only masked positions pass through the head.
    longest : int
        Longest sequence in tokens, context included and special tokens excluded.
    takes_padding : bool
        Whether sequences of different lengths may share a call; measured when it is first asked for.
    vocabulary : int
        Number of outputs of the network.

    Raises
    ------
    InputError
        If the mask is not a token of the network, the vocabularies of tokenizer and network do not match, the length
        leaves no room for a sequence, ``exclude_mask`` is False for ``radd`` or ``sedd``, whose last output is not a
        probability, the block size is missing, not positive or given for a family without blocks, or the network was
        trained with uniform noise, or by block diffusion in another family.
    ModelError
        If the network cannot be called by the convention of the family, two identical calls differ, or a network of
        block diffusion cannot be shown its blocks.

    Notes
    -----
    A ``sedd`` network returns log-scores: ``log s(x)_{i,v}`` estimates the log of
    ``p(x_i = v | unmasked) / (exp(sigma) - 1)`` at a masked position ``i`` ([1]_, Theorem 1). The conditional
    distribution is the softmax of the log-scores over all tokens except the mask, in which the factor cancels. Two
    approximations enter. First, a masked sequence has no time, so ``sigma`` is the total noise whose expected masked
    fraction equals that of the row, context included: ``sigma = -log(1 - m/L)`` for ``m`` of ``L`` tokens masked.
    Second, the scores of a trained network do not sum exactly to ``1 / (exp(sigma) - 1)``. If their sum is ``Z`` times
    that value, the bound of the score entropy loss has an additional term ``Z - 1 - log(Z) >= 0`` per token, which is
    not included here.

    References
    ----------
    .. [1] J. Ou et al. (2024), Your absorbing discrete diffusion secretly models the conditional distributions of clean
       data, arXiv 2406.03736.

    Examples
    --------
    >>> import torch
    >>> class Letters(torch.nn.Module):  # logits over 4 letters and the mask
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.head = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)
    ...     def forward(self, tokens):
    ...         return self.head(self.embedding(tokens) + self.embedding(tokens).mean(dim=1, keepdim=True))
    >>> model = MaskedLanguageModel(Letters(), "llada", mask_id=4, length=16)
    >>> model.token_nll(torch.tensor([[0, 3, 1]]), torch.tensor([[True, False, True]])).shape, model.lean
    (torch.Size([1, 3]), True)
    """

    def __init__(
        self,
        network: nn.Module,
        family: str | Family,
        *,
        mask_id: int,
        length: int,
        tokenizer: Any = None,
        before: Sequence[int] = (),
        after: Sequence[int] = (),
        shifted: bool | None = None,
        exclude_mask: bool | None = None,
        guidance: float = 0.0,
        block_size: int | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "",
        revision: str = "",
    ) -> None:
        self.network = network.eval()
        self.family = family_named(family) if isinstance(family, str) else family
        self.mask_id = check_integer("mask_id", mask_id)
        self.shifted = check_flag("shifted", self.family.shifted if shifted is None else shifted)
        self.exclude_mask = check_flag(
            "exclude_mask", self.family.exclude_mask if exclude_mask is None else exclude_mask
        )
        if self.family.mask == "last" and not self.exclude_mask:
            raise InputError(
                f"exclude_mask must be True for family {self.family.name!r}: its last output is not a probability"
            )
        self.tokenizer = tokenizer
        self.before, self.after = check_tokens("before", before, mask_id), check_tokens("after", after, mask_id)
        if not isinstance(guidance, int | float) or not math.isfinite(guidance) or guidance < 0:
            raise InputError(f"guidance must be a finite number of at least 0, got {guidance!r}")
        self.guidance = float(guidance)
        self.block_size = self._checked_block_size(block_size)
        self.config = dict(config or {})
        self.name = name
        self.revision = revision
        self._length = check_integer("length", length)
        if self.longest < 1:
            raise InputError(
                f"a length of {length} leaves no room for tokens next to {len(before) + len(after)} special tokens"
            )
        parameter = next(network.parameters(), torch.zeros(()))
        self._device, self._dtype = parameter.device, parameter.dtype
        self._refuse_family()
        self.vocabulary, self.head = self._probe()
        self._check_vocabulary()
        self._refuse_noise()

    @property
    def blocks(self) -> Blocks | None:
        """The blocks of a network of block diffusion, in positions of a sequence without special tokens."""
        return None if self.block_size is None else Blocks(self.block_size, self.block_start)

    @property
    def block_start(self) -> int:
        """A position of a sequence at which a block begins."""
        return -len(self.before)

    @property
    def lean(self) -> bool:
        """Whether only masked positions pass through the output head."""
        return self.head is not None

    @property
    def longest(self) -> int:
        """Longest sequence in tokens, context included and special tokens excluded."""
        return self._length - len(self.before) - len(self.after)

    @property
    def needs_context(self) -> bool:
        """Whether `token_nll` needs the context, as under guidance."""
        return self.guidance != 0

    @property
    def forward_passes_per_row(self) -> int:
        """Rows of the network per row of tokens: 2 under guidance, otherwise 1."""
        return 2 if self.needs_context else 1

    @cached_property
    def takes_padding(self) -> bool:
        """Whether sequences of different lengths may share a call; see `measure_padding`."""
        measured = measure_padding(self)
        return measured is not None and measured.harmless

    @cached_property
    def filler(self) -> int:
        """The token that fills padding: that of the configuration, or any other but the mask, which networks count."""
        named = self.config.get("pad_token_id")
        if isinstance(named, int) and 0 <= named < self.vocabulary and named != self.mask_id:
            return named
        return allowed_tokens(self)[0]

    def conventions(self) -> dict[str, Any]:
        """Return the choices other than the weights that affect the likelihood, as results record them."""
        quantised = self.config.get("quantization_config")
        return {
            "family": self.family.name,
            "mask_id": self.mask_id,
            "before": list(self.before),
            "after": list(self.after),
            "shifted": self.shifted,
            "exclude_mask": self.exclude_mask,
            "guidance": self.guidance,
            **({} if self.block_size is None else {"block_size": self.block_size}),
            "dtype": kind_of(self._dtype),
            **({"quantised": str(dict(quantised).get("quant_method"))} if quantised else {}),
        }

    def token_nll(
        self, tokens: Tensor, masked: Tensor, context: Tensor | None = None, *, lengths: Tensor | None = None
    ) -> Tensor:
        """Return the negative log-likelihood of each masked token given the unmasked tokens of its row.

        Rows that differ under their masks alone are one pass of the network.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            Complete sequences without special tokens, on any device.
        masked : Tensor of bool, shape (batch, length)
        context : Tensor of bool, shape (batch, length), optional
            The given positions; required under guidance, otherwise ignored.
        lengths : Tensor of int64, shape (batch,), optional
            Number of tokens of each row, if `takes_padding` and the rows differ; what follows them is padding.

        Returns
        -------
        Tensor of float32, shape (batch, length)
            Nats at masked positions, 0 elsewhere, on the device of the tokens.

        Raises
        ------
        TokenError
            If a token is outside the vocabulary or is the mask, a sequence includes special tokens that are added here,
            or the first position is masked in a model with shifted logits and no BOS.
        InputError
            If the sequences are longer than `longest`, or there is guidance but no context.
        ModelError
            If the network overflows in half precision.
        """
        check_sequences(self, tokens, masked, lengths)
        if not self.needs_context:
            context = None
        elif context is None:
            raise InputError("guidance masks the context: pass it to token_nll(tokens, masked, context)")
        result = torch.zeros(tokens.shape, device=self._device)
        result[masked.to(self._device)] = self._read_calls(tokens, masked, context, lengths, token_losses)
        check_overflow(result, self._dtype, FULL_PRECISION)
        return result.to(tokens.device)

    def token_log_probs(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the log-probabilities of all tokens at each masked position given the unmasked tokens of its row.

        Parameters
        ----------
        tokens, masked, lengths : Tensor
            As in `token_nll`.

        Returns
        -------
        Tensor of float32, shape (number masked, vocabulary)
            Nats, row by row in the order of ``masked.nonzero()``, on the device of the tokens; ``-inf`` for a mask that
            is excluded.

        Raises
        ------
        TokenError, ModelError
            As `token_nll`.
        InputError
            If the sequences are longer than `longest`, or there is guidance.
        """
        check_sequences(self, tokens, masked, lengths)
        if self.needs_context:
            raise InputError(
                "token_log_probs does not know the context, which guidance masks: load the model with guidance=0"
            )
        result = self._read_calls(tokens, masked, None, lengths, token_distributions)
        check_undefined(result, masked, self._dtype, FULL_PRECISION)
        return result.to(tokens.device)

    def inputs(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the inputs of the network (batch, length with special tokens): tokens, masks and special tokens.

        Where rows have lengths of their own, their special tokens follow them, and the filler follows those.
        """
        tokens, masked = tokens.to(self._device), masked.to(self._device)
        hidden = torch.where(masked, self.mask_id, tokens)
        rows = torch.cat([_columns(self.before, hidden), hidden, _columns(self.after, hidden)], dim=1)
        if lengths is None:
            return rows
        places = torch.arange(rows.shape[1], device=self._device) - len(self.before) - lengths.to(self._device)[:, None]
        for place, token in enumerate(self.after):
            rows = torch.where(places == place, token, rows)
        return torch.where(places >= len(self.after), self.filler, rows)

    def attended(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the attention mask of padded inputs, int64 of their shape: 0 at padding, 1 elsewhere."""
        ends = lengths.to(self._device)[:, None] + len(self.before) + len(self.after)
        return (torch.arange(inputs.shape[1], device=self._device) < ends).long()

    def outputs(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the raw outputs of the network, without shift, exclusion of the mask or guidance.

        A network of block diffusion sees earlier blocks with nothing masked.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
        masked : Tensor of bool, shape (batch, length)

        Returns
        -------
        Tensor of float32, shape (batch, length with special tokens, vocabulary)
        """
        inputs, noise = self.inputs(tokens, masked), self._noise(masked.to(self._device))
        if self.blocks is None:
            return self.call(inputs, noise)
        first, kind = distinct_rows(tokens.to(self._device))
        attention = self._block_attention(inputs.shape[1])
        clean = self.inputs(tokens[first.to(tokens.device)], torch.zeros_like(masked[: len(first)]))
        with torch.no_grad():
            self._forward(clean, None if noise is None else noise[: len(first)], attention)
            return logits_of(self._forward(inputs, noise, MaskedAttention(attention, kind))).float()

    def shift(self, outputs: Tensor, tokens: Tensor) -> Tensor:
        """Return raw outputs one position further, where those of a network with shifted logits predict.

        The first output stays where it is. At the first position of a block it is that of the last position before,
        with nothing masked.

        Parameters
        ----------
        outputs : Tensor of float32, shape (batch, length with special tokens, vocabulary)
            As `outputs` returns them.
        tokens : Tensor of int64, shape (batch, length)

        Returns
        -------
        Tensor of float32, shape (batch, length with special tokens, vocabulary)
        """
        moved = torch.cat([outputs[:, :1], outputs[:, :-1]], dim=1)
        if self.blocks is not None:
            first, kind = distinct_rows(tokens.to(self._device))
            unmasked = torch.zeros_like(tokens[: len(first)], dtype=torch.bool)
            inputs = self.inputs(tokens[first.to(tokens.device)], unmasked)
            clean = self.call(inputs, self._noise(unmasked.to(self._device)))
            starts = self._block_numbers(inputs.shape[1]).diff().nonzero()[:, 0] + 1
            moved[:, starts] = clean[kind][:, starts - 1]
        return moved

    def call(self, inputs: Tensor, noise: Tensor | None = None, **arguments: Any) -> Tensor:
        """Call the network by the convention of its family, with further arguments by name.

        In a network of block diffusion each position sees its own block and the earlier ones, as the inputs have them.

        Parameters
        ----------
        inputs : Tensor of int64, shape (batch, length)
            As `inputs` returns them.
        noise : Tensor, shape (batch,), optional
            The second argument, if the family has one.

        Returns
        -------
        Tensor of float32, shape (batch, length, vocabulary)
        """
        with torch.no_grad():
            return logits_of(self._forward(inputs, noise, **arguments)).float()

    @property
    def kind(self) -> str:
        """Name of its family."""
        return self.family.name

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,), without special tokens.

        Raises
        ------
        InputError
            If there is no tokenizer, it does not know a part of the text, or the text contains the mask.
        """
        tokens = super().encode(text)
        masks = np.flatnonzero(tokens == self.mask_id)
        if len(masks):
            raise InputError(f"token {masks[0]} of the text is the mask, which cannot be scored or given")
        return tokens

    def _forward(
        self,
        inputs: Tensor,
        noise: Tensor | None,
        attention: CleanAttention | MaskedAttention | None = None,
        **arguments: Any,
    ) -> object:
        if attention is None and self.block_size is not None:
            attention = self._block_attention(inputs.shape[1])
        if self.family.arguments is not None:
            arguments = {**self.family.arguments(inputs, self._dtype), **arguments}
        with warnings.catch_warnings(), attention or nullcontext():
            if "auto_map" in self.config:  # deprecations concern the authors of the code
                warnings.simplefilter("ignore")
            return self.network(inputs, *(() if noise is None else (noise,)), **arguments)

    def _block_numbers(self, length: int) -> Tensor:
        """Return the number of the block of each position of an input, (length,)."""
        assert self.block_size is not None
        return torch.arange(length, device=self._device) // self.block_size

    def _block_attention(self, length: int) -> CleanAttention:
        return CleanAttention(self._block_numbers(length))

    def _noise(self, masked: Tensor) -> Tensor | None:
        return None if self.family.noise is None else self.family.noise(masked)

    def _probe(self) -> tuple[int, nn.Linear | None]:
        try:
            with torch.no_grad():
                vocabulary = logits_of(self._forward(*self._probe_inputs(min(SHORT, self._length))[:2])).shape[-1]
                # A mask after the last output has no probability.
                if not 0 <= self.mask_id < vocabulary + int(self.exclude_mask):
                    raise InputError(f"mask_id must be one of the network's {vocabulary} tokens, got {self.mask_id}")
                excluded = self.mask_id if self.exclude_mask and self.mask_id < vocabulary else None
                probes = []
                for length in sorted({min(SHORT, self._length), min(PROBE_LENGTH, self._length)}):
                    inputs, noise, masked = self._probe_inputs(length, vocabulary)
                    probes.append(HeadProbe(partial(self._forward, inputs, noise), masked))
                head = find_head(probes, self.network, excluded)
        except InfodisError:
            raise
        except Exception as error:  # third-party code may raise anything
            if self._takes_other_tokens():
                raise InputError(f"mask_id must be a token that the network takes, got {self.mask_id}") from error
            raise ModelError(
                f"the network cannot be called by the convention of family {self.family.name!r} with mask "
                f"{self.mask_id}: {first_line(error)}"
            ) from error
        return vocabulary, head

    def _takes_other_tokens(self) -> bool:
        inputs, noise, masked = self._probe_inputs(min(SHORT, self._length))
        try:
            with torch.no_grad():
                self._forward(torch.where(masked, 0, inputs), noise)
        except Exception:  # third-party code may raise anything
            return False
        return True

    def _probe_inputs(self, length: int, vocabulary: int = 2) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return inputs of three rows, their noise, and where they are masked: everywhere, at half, at one position."""
        rows, positions = torch.arange(3)[:, None], torch.arange(length)
        visible = (positions * max(1, vocabulary // length) + rows) % vocabulary
        visible[visible == self.mask_id] = (self.mask_id + 1) % vocabulary
        masked = torch.stack([positions >= 0, positions % 2 == 0, positions == length // 2]).to(self._device)
        inputs = torch.where(masked, self.mask_id, visible.to(self._device))
        return inputs, self._noise(masked), masked

    def _checked_block_size(self, given: int | None) -> int | None:
        family = self.family
        if not family.block_sizes:
            if given is not None:
                raise InputError(
                    f"block_size= is for networks trained by block diffusion, but family {family.name!r} has no blocks"
                )
            return None
        if given is None:
            published = ", ".join(map(str, family.block_sizes))
            raise InputError(
                f"the block size of family {family.name!r} is unknown: specify the one that it was trained with, "
                f"block_size= (published: {published})"
            )
        if self.guidance:
            raise InputError(
                "guidance masks the context, but a network of block diffusion sees earlier blocks with nothing masked: "
                "guidance must be 0"
            )
        return Blocks(check_integer("block_size", given)).size

    def _check_vocabulary(self) -> None:
        for name, special in (("before", self.before), ("after", self.after)):
            for token in special:
                if not 0 <= token < self.vocabulary:
                    raise InputError(
                        f"{name} must be tokens of the network, 0 to {self.vocabulary - 1}, but it contains {token}"
                    )
        self._check_tokenizer(self.vocabulary)

    def _refuse_family(self) -> None:
        """Refuse a network whose plain calls give no likelihood, by its name, before it is called."""
        check_supported(self.network, self.config, self._length, self.family)

    def _refuse_noise(self) -> None:
        """Refuse a network that adds noise of its own, or does not keep to its blocks."""
        inputs, noise, _ = self._probe_inputs(min(PROBE_LENGTH, self._length), self.vocabulary)
        first, second = (self.call(inputs, noise).flatten(0, 1).to(self._dtype) for _ in range(2))
        if not agree(first, second):
            raise ModelError(
                f"two identical calls of the network differ by {largest_difference(first, second):.2g} nats: it adds "
                "its own noise, or its dropout is active in evaluation mode, so it has no likelihood"
            )
        if self.blocks is not None:
            refuse_other_attention(self)

    def _rows_per_call(self, tokens: Tensor) -> int:
        if self.lean:
            return max(1, len(tokens))
        return max(1, FULL_LOGITS // (tokens.shape[1] * self.vocabulary * self.forward_passes_per_row))

    def _read_calls(
        self, tokens: Tensor, masked: Tensor, context: Tensor | None, lengths: Tensor | None, read: Reading
    ) -> Tensor:
        """Return what is read at the masked tokens in row order, (number of masked, ...), from one call or several."""
        tokens, masked = tokens.to(self._device), masked.to(self._device)
        context, lengths = (None if part is None else part.to(self._device) for part in (context, lengths))

        def read_rows(rows: slice) -> Tensor:
            given, ends = (None if part is None else part[rows] for part in (context, lengths))
            return self._read_masked(tokens[rows], masked[rows], given, ends, read).to(self._device)

        step = self._rows_per_call(tokens)
        if len(tokens) <= step:
            return read_rows(slice(None))
        return torch.cat([read_rows(slice(start, start + step)) for start in range(0, len(tokens), step)])

    def _read_masked(
        self, tokens: Tensor, masked: Tensor, context: Tensor | None, lengths: Tensor | None, read: Reading
    ) -> Tensor:
        if self.blocks is not None:
            return self._read_blocks(tokens, masked, lengths, read)
        first, kind = distinct_rows(torch.where(masked, self.mask_id, tokens), context, lengths)
        rows, positions = masked.nonzero(as_tuple=True)
        positions = positions + len(self.before) - int(self.shifted)
        excluded = self.mask_id if self.exclude_mask and self.mask_id < self.vocabulary else None
        scored = ScoredTokens(kind[rows], positions, tokens[masked], excluded, self.guidance)
        tokens, hidden = tokens[first], masked[first]
        lengths = None if lengths is None else lengths[first]
        if context is not None:  # the unconditional rows follow the others
            tokens, hidden = torch.cat([tokens, tokens]), torch.cat([hidden, hidden | context[first]])
            lengths = None if lengths is None else torch.cat([lengths, lengths])
        inputs, noise = self.inputs(tokens, hidden, lengths), self._noise(hidden)
        padding: dict[str, Any] = {} if lengths is None else {"attention_mask": self.attended(inputs, lengths)}

        return self._read_logits(lambda: self._forward(inputs, noise, **padding), scored, read)

    def _read_blocks(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None, read: Reading) -> Tensor:
        """Return what is read at masked tokens; after a shift, clean rows predict the first tokens of blocks."""
        clean = self.inputs(tokens, torch.zeros_like(masked), lengths)
        inputs = self.inputs(tokens, masked, lengths)
        clean_first, clean_kind = distinct_rows(clean)
        first, kind = distinct_rows(inputs, clean_kind, lengths)
        rows, positions = masked.nonzero(as_tuple=True)
        positions = positions + len(self.before)
        outputs = positions - int(self.shifted)
        attention = self._block_attention(inputs.shape[1])
        by_clean = attention.numbers[outputs] != attention.numbers[positions]
        present = None if lengths is None else self.attended(inputs, lengths)[first].bool()
        excluded = self.mask_id if self.exclude_mask and self.mask_id < self.vocabulary else None

        def read_rows(of: Tensor, kinds: Tensor, inputs: Tensor, attention: CleanAttention | MaskedAttention) -> Tensor:
            scored = ScoredTokens(kinds[rows[of]], outputs[of], tokens[masked][of], excluded)
            noise = self._noise(inputs == self.mask_id)
            return self._read_logits(partial(self._forward, inputs, noise, attention), scored, read).to(self._device)

        from_clean = read_rows(by_clean, clean_kind, clean[clean_first], attention)
        if by_clean.all():
            return from_clean
        others = read_rows(~by_clean, kind, inputs[first], MaskedAttention(attention, clean_kind[first], present))
        result = others.new_empty(len(rows), *others.shape[1:])
        result[by_clean], result[~by_clean] = from_clean, others
        return result

    def _read_logits(self, forward: Callable[[], object], scored: ScoredTokens, read: Reading) -> Tensor:
        with torch.no_grad():
            if self.head is None:
                return read_full(forward, scored, read)
            return read_lean(forward, self.head, scored, read)


class UncheckedModel(MaskedLanguageModel):
    """A masked language model that accepts any network, so that `check_model` can examine it."""

    def _refuse_family(self) -> None:
        pass

    def _refuse_noise(self) -> None:
        pass


def _columns(special: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(special, dtype=like.dtype, device=like.device).expand(len(like), -1)
