"""A network with a family's conventions as a text model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from estimators import InfodisError, InputError, ModelError, TokenError
from infodis_stats.models.huggingface.families import Family, family_named
from infodis_stats.models.huggingface.head import Wanted, find_head, full_losses, lean_losses, logits_of
from infodis_stats.models.losses import check_overflow

__all__ = ["MaskedLanguageModel"]

FULL_LOGITS = 2**27  # numbers a pass may make where the head cannot be separated: 512 MB in float32


class MaskedLanguageModel:
    """A masked language model of a known family; a `TextModel`.

    `load_huggingface` makes one from a folder. Make one yourself for a network whose code comes from elsewhere, such as
    the published RADD and SEDD weights.

    Sequences are given without special tokens: those in ``before`` and ``after`` are put around each of them for the
    network, are never masked and never scored. All rows of a call have one length, so nothing is padded.

    Where the network's last layer makes the logits (``lean``), only masked positions pass through it, a few at a time.
    Losses are log-sum-exps in float32 of logits in the network's own type. Those of a row agree whatever batch it comes
    in, within 1e-5 nats where that type is float32.

    Parameters
    ----------
    network : Module
        Called as the family says; is put into evaluation mode and stays on its device.
    family : str or Family
        See `FAMILIES`.
    mask_id : int
        Token that stands for a hidden one.
    length : int
        Longest input of the network, special tokens included.
    tokenizer : optional
        Of transformers; without one there is no `encode` and `decode`.
    before, after : sequence of int, default none
        Special tokens around every sequence.
    exclude_mask : bool, optional
        Whether the mask is left out of the softmax, that is, has probability 0. This changes the number. None takes the
        family's convention: True for ``mdlm``, ``radd`` and ``sedd``; False for ``llada``, ``dream`` and ``bert``,
        which are trained with it in. Other special tokens and unused outputs always stay in.
    config : mapping, optional
        What describes the network, for the fingerprint.
    name : str, optional
        What tables call it; not part of the fingerprint.

    Attributes
    ----------
    head : Linear or None
        The layer that makes the logits; None where it cannot be separated.

    Raises
    ------
    InputError
        If the mask is not a token of the network, the vocabulary is not the tokenizer's, nothing fits into the length,
        or the mask of ``radd`` or ``sedd`` is to be in the softmax: what they return for it is no probability.
    ModelError
        If the network cannot be called as the family says.

    Notes
    -----
    ``sedd``. The network returns log-scores, ``log s(x)_{i,v}`` being an estimate of the log of
    ``p(x_i = v | unmasked) / (exp(sigma) - 1)`` at a masked position ``i`` ([1]_, Theorem 1). The conditional is taken
    as the softmax of the log-scores over all tokens but the mask, so the factor drops out. Two things are approximate:
    the noise ``sigma`` is the one at which the fraction masked in the whole row (context included) is expected, see
    `absorbing_noise`, since a set of masks has no time of its own; and the scores of a trained network do not sum to
    ``1 / (exp(sigma) - 1)`` exactly. With ``Z`` that sum over its target, the bound of the score entropy loss has a
    further term ``Z - 1 - log(Z) >= 0`` a token, which is not counted here.

    References
    ----------
    .. [1] J. Ou et al. (2024), Your absorbing discrete diffusion secretly models the conditional distributions of clean
       data, arXiv 2406.03736.

    Examples
    --------
    >>> import torch
    >>> class Letters(torch.nn.Module):  # logits from the neighbourhood, over 4 letters and the mask
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.head = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)
    ...     def forward(self, tokens):
    ...         return self.head(self.embedding(tokens).cumsum(dim=1))
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
        exclude_mask: bool | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> None:
        self.network = network.eval()
        self.family = family_named(family) if isinstance(family, str) else family
        self.mask_id = mask_id
        self.exclude_mask = self.family.exclude_mask if exclude_mask is None else exclude_mask
        if self.family.mask == "last" and not self.exclude_mask:
            raise InputError(
                f"the last output of family {self.family.name!r} is no probability: the mask stays excluded"
            )
        self.tokenizer = tokenizer
        self.before, self.after = tuple(before), tuple(after)
        self.config = dict(config or {})
        self.name = name
        self._length = length
        if self.longest < 1:
            raise InputError(f"a length of {length} leaves no room beside {len(before) + len(after)} special tokens")
        parameter = next(network.parameters(), torch.zeros(()))
        self._device, self._dtype = parameter.device, parameter.dtype
        self._hashed: tuple[list[tuple[int, int]], str] | None = None
        self.vocabulary, self.head = self._probe()
        self._check_vocabulary()

    @property
    def lean(self) -> bool:
        """Whether only masked positions pass through the output head."""
        return self.head is not None

    @property
    def longest(self) -> int:
        """Longest sequence, context included, in tokens; the special tokens around it not counted."""
        return self._length - len(self.before) - len(self.after)

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Price the masked tokens; see `estimators.ConditionalModel`.

        Raises
        ------
        TokenError
            If a token is outside the vocabulary or is the mask, a sequence brings the special tokens that are added
            here, or position 0 is masked in a model with shifted logits and no BOS.
        InputError
            If the sequences are longer than `longest`.
        ModelError
            If the network overflows in half precision.
        """
        self._check(tokens, masked)
        device = tokens.device
        tokens, masked = tokens.to(self._device), masked.to(self._device)
        result = torch.zeros(tokens.shape, device=self._device)
        for start in range(0, len(tokens), self._rows_at_a_time(tokens)):
            rows = slice(start, start + self._rows_at_a_time(tokens))
            result[rows][masked[rows]] = self._losses(tokens[rows], masked[rows])
        check_overflow(result, self._dtype, "dtype=torch.float32")
        return result.to(device)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn text into tokens, (length,), without special tokens.

        Raises
        ------
        InputError
            If there is no tokenizer, or the text has pieces that it does not know.
        """
        tokens = self._tokenizer().encode(text, add_special_tokens=False, verbose=False)
        unknown = self._tokenizer().unk_token
        # Byte-level tokenizers know everything and call some ordinary special token "unknown".
        if unknown is not None and self._tokenizer().unk_token_id in tokens and unknown not in text:
            position = tokens.index(self._tokenizer().unk_token_id)
            raise InputError(f"the tokenizer does not know a piece of the text: token {position} would be {unknown}")
        return np.array(tokens, dtype=np.int64)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Turn tokens (length,) into text; `InputError` if there is no tokenizer."""
        text: str = self._tokenizer().decode(tokens.tolist(), clean_up_tokenization_spaces=False)
        return text

    def describe(self) -> str:
        """Say in a few words what model this is."""
        size = sum(weights.numel() for weights in self.network.parameters())
        return " ".join([self.family.name, *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights, the configuration and the conventions, in hexadecimal."""
        weights = self.network.state_dict()
        state = [(tensor.data_ptr(), tensor._version) for tensor in weights.values()]
        if self._hashed is None or self._hashed[0] != state:  # a second a gigabyte, and each result asks for it
            self._hashed = state, self._hash(weights)
        return self._hashed[1]

    def _hash(self, weights: Mapping[str, Any]) -> str:
        conventions = [self.family.name, self.mask_id, self.exclude_mask, self.before, self.after, self.config]
        digest = hashlib.sha256(json.dumps(conventions, sort_keys=True, default=str).encode())
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _tokenizer(self) -> Any:
        if self.tokenizer is None:
            raise InputError("this model came without a tokenizer: name one with tokenizer= when loading it")
        return self.tokenizer

    def _forward(self, inputs: Tensor, hidden_tokens: Tensor) -> object:
        if self.family.noise is None:
            return self.network(inputs)
        return self.network(inputs, self.family.noise(hidden_tokens))

    def _probe(self) -> tuple[int, nn.Linear | None]:
        visible = int(self.mask_id == 0)
        inputs = torch.tensor([[visible, self.mask_id]], device=self._device)
        masked = inputs == self.mask_id
        excluded = self.mask_id if self.exclude_mask else None
        try:
            with torch.no_grad():
                vocabulary = logits_of(self._forward(inputs, masked)).shape[-1]
                if not 0 <= self.mask_id < vocabulary:
                    raise InputError(f"mask {self.mask_id} is not among the network's {vocabulary} tokens")
                head = find_head(lambda: self._forward(inputs, masked), self.network, masked, excluded)
        except InfodisError:
            raise
        except Exception as error:  # the code of a network may raise anything
            raise ModelError(
                f"the network cannot be called as family {self.family.name!r} says, with mask {self.mask_id}: "
                f"{first_line(error)}"
            ) from error
        return vocabulary, head

    def _check_vocabulary(self) -> None:
        if self.tokenizer is None:
            return
        unused = self.vocabulary - len(self.tokenizer)
        # Networks are often made a little larger than their tokenizer, for speed.
        if unused < 0 or unused > max(128, self.vocabulary // 10):
            raise InputError(
                f"the tokenizer has {len(self.tokenizer)} tokens and the network {self.vocabulary}: they do not belong "
                "together"
            )

    def _check(self, tokens: Tensor, masked: Tensor) -> None:
        if tokens.shape[1] > self.longest:
            raise InputError(f"a sequence of {tokens.shape[1]} tokens is longer than the model's {self.longest}")
        problems = [
            ((tokens < 0) | (tokens >= self.vocabulary), f"is outside the model's {self.vocabulary} tokens"),
            (tokens == self.mask_id, "is the mask itself, which the model takes for a hidden token"),
        ]
        added = "is a special token that is put around every sequence here: leave it out"
        first, last = torch.zeros_like(masked), torch.zeros_like(masked)
        first[:, 0], last[:, -1] = True, True
        if self.before:
            problems.append((first & (tokens == self.before[0]), added))
        elif self.family.shifted:
            problems.append(
                (first & masked, "stands first and cannot be scored: this model needs a BOS token before it")
            )
        if self.after:
            problems.append((last & (tokens == self.after[-1]), added))
        for wrong, problem in problems:
            if wrong.any():
                row, position = wrong.nonzero()[0].tolist()
                raise TokenError(row, position, f"token {tokens[row, position]} {problem}")

    def _rows_at_a_time(self, tokens: Tensor) -> int:
        return max(1, len(tokens) if self.lean else FULL_LOGITS // (tokens.shape[1] * self.vocabulary))

    def _losses(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Price the masked tokens in row order, (number of masked,)."""
        inputs = torch.where(masked, self.mask_id, tokens)
        inputs = torch.cat([_columns(self.before, inputs), inputs, _columns(self.after, inputs)], dim=1)
        rows, positions = masked.nonzero(as_tuple=True)
        positions = positions + len(self.before) - int(self.family.shifted)
        wanted = Wanted(rows, positions, tokens[masked], self.mask_id if self.exclude_mask else None)

        def forward() -> object:
            return self._forward(inputs, masked)

        with torch.no_grad():
            if self.head is None:
                return full_losses(forward, wanted)
            return lean_losses(forward, self.head, wanted)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _columns(special: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(special, dtype=like.dtype, device=like.device).expand(len(like), -1)
