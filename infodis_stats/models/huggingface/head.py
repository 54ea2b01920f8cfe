"""The output head at selected positions only, without logits of size batch x length x vocabulary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from estimators import ModelError
from infodis_stats.models.losses import HALF

__all__ = [
    "HeadProbe",
    "Reading",
    "ScoredTokens",
    "agree",
    "find_head",
    "largest_difference",
    "logits_of",
    "read_full",
    "read_lean",
]

Reading = Callable[[Callable[[slice], Tensor], Tensor, int, int | None], Tensor]
"""What is computed from logits, given those of a slice of the tokens, the tokens, the vocabulary and an excluded one.

`infodis_stats.models.losses.token_losses` or `infodis_stats.models.losses.token_distributions`.
"""

ROUNDINGS = 16  # of the dtype, by which probabilities may differ
MOST = {False: 1e-3, True: 0.03}  # nats, in float32 and in half precision
IMPOSSIBLE = -1e4  # nats: a smaller log-probability stands for 0


@dataclass(frozen=True)
class ScoredTokens:
    """The tokens whose losses or distributions are computed.

    Attributes
    ----------
    rows, positions : Tensor of int64, shape (count,)
        Indices of their logits in the output of the network.
    targets : Tensor of int64, shape (count,)
        The tokens.
    excluded : int, optional
        A token with probability 0: its logit is replaced by minus infinity.
    guidance : float, default 0
        Scale ``w`` of guidance. If not 0, the output has the unconditional rows after the others, and the logits are
        ``u + (w + 1) (l - u)``.
    """

    rows: Tensor
    positions: Tensor
    targets: Tensor
    excluded: int | None
    guidance: float = 0.0

    def to(self, device: torch.device) -> "ScoredTokens":
        """Return the same on another device: the layers of a network may be on several."""
        rows, positions, targets = (part.to(device) for part in (self.rows, self.positions, self.targets))
        return replace(self, rows=rows, positions=positions, targets=targets)


class _AtHead(BaseException):
    """Ends a forward pass at the output head; a BaseException, so that no ``except Exception`` catches it."""

    def __init__(self, result: Tensor) -> None:
        super().__init__()
        self.result = result


def logits_of(output: object) -> Tensor:
    """Extract the logits (batch, length, vocabulary) from the output of a network; `ModelError` if there are none."""
    logits = getattr(output, "logits", output)
    if isinstance(logits, tuple | list) and logits:
        logits = logits[0]
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        raise ModelError(f"the network returned {type(output).__name__} without logits (batch, length, vocabulary)")
    return logits


def read_full(forward: Callable[[], object], scored: ScoredTokens, read: Reading) -> Tensor:
    """Return what is read from the full logits of the network, float32 of shape (count, ...)."""
    logits = logits_of(forward())
    scored = scored.to(logits.device)
    at = _guided(lambda rows, positions: logits[rows, positions], len(logits), scored)
    return read(at, scored.targets, logits.shape[-1], scored.excluded)


def read_lean(forward: Callable[[], object], head: nn.Linear, scored: ScoredTokens, read: Reading) -> Tensor:
    """Return what is read with the head applied at the scored positions only, in chunks, float32 (count, ...)."""

    def read_at_head(hidden: Tensor) -> Tensor:
        here = scored.to(hidden.device)
        at = _guided(lambda rows, positions: head.forward(hidden[rows, positions]), len(hidden), here)
        return read(at, here.targets, head.out_features, here.excluded)

    result = _at_head(forward, head, read_at_head)
    if result is None:
        raise ModelError("the network returned without calling the output head that it used when it was loaded")
    return result


def _guided(
    logits_at: Callable[[Tensor, Tensor], Tensor], rows: int, scored: ScoredTokens
) -> Callable[[slice], Tensor]:
    """Return a function that computes the logits of a slice of the scored tokens, under guidance if there is any."""

    def at(part: slice) -> Tensor:
        logits = logits_at(scored.rows[part], scored.positions[part])
        if not scored.guidance:
            return logits
        unconditional = logits_at(scored.rows[part] + rows // 2, scored.positions[part]).float()
        return unconditional + (scored.guidance + 1) * (logits.float() - unconditional)

    return at


@dataclass(frozen=True, eq=False)
class HeadProbe:
    """A call of the network on a small input, to compare the outputs of a candidate for the head with.

    Attributes
    ----------
    forward : callable
        Runs the network.
    compare : Tensor of bool, shape (batch, length)
        Positions at which the probabilities are compared.
    """

    forward: Callable[[], object]
    compare: Tensor


def find_head(probes: Sequence[HeadProbe], network: nn.Module, excluded: int | None) -> nn.Linear | None:
    """Find the linear layer that computes the logits, if its outputs determine the probabilities.

    For each probe the network runs once in full, and once up to each candidate layer. Operations after the head may
    only add a constant to all logits of a position: RADD normalises, SEDD divides by a function of the noise.

    Parameters
    ----------
    probes : sequence of HeadProbe
        Inputs of several lengths and numbers of masks, since an operation may depend on either.
    network : Module
    excluded : int, optional
        A token with probability 0.

    Returns
    -------
    Linear or None
        None if the head cannot be separated.
    """
    logits = [logits_of(probe.forward()) for probe in probes]
    for head in reversed([module for module in network.modules() if isinstance(module, nn.Linear)]):
        if head.out_features == logits[0].shape[-1] and all(
            _determines(head, probe, full, excluded) for probe, full in zip(probes, logits, strict=True)
        ):
            return head
    return None


def _determines(head: nn.Linear, probe: HeadProbe, logits: Tensor, excluded: int | None) -> bool:
    outputs = _at_head(probe.forward, head, head.forward)
    if outputs is None or outputs.shape != logits.shape:
        return False
    return agree(outputs[probe.compare], logits[probe.compare], excluded)


def agree(first: Tensor, second: Tensor, excluded: int | None = None) -> bool:
    """Return whether logits (count, vocabulary) give the same probabilities, but for rounding in their dtype.

    Examples
    --------
    >>> logits = torch.tensor([[1.0, 2.0, -1e9]])
    >>> agree(logits, logits + 3.0), agree(logits, logits * 2.0), agree(logits, torch.tensor([[1.0, 2.0, 3.0]]))
    (True, False, False)
    """
    expected = _log_probabilities(second, excluded)
    possible = expected > IMPOSSIBLE
    scale = max(1.0, expected[possible].abs().max().item()) if possible.any() else 1.0
    rounding = min(ROUNDINGS * torch.finfo(second.dtype).eps * scale, MOST[second.dtype in HALF])
    return largest_difference(first, second, excluded) <= rounding


def largest_difference(first: Tensor, second: Tensor, excluded: int | None = None) -> float:
    """Return the largest difference between log-probabilities from logits (count, vocabulary), in nats.

    Tokens whose probability is 0 in one must have probability 0 in the other, otherwise the difference is infinite: a
    network may set the logit of its mask to minus infinity, or to a large negative number. What is NaN in both agrees.

    Examples
    --------
    >>> largest_difference(torch.tensor([[0.0, 0.0, -1e9]]), torch.tensor([[0.0, 0.0, -torch.inf]]))
    0.0
    """
    logs = [_log_probabilities(logits, excluded) for logits in (first, second)]
    impossible, undefined = [part <= IMPOSSIBLE for part in logs], [part.isnan() for part in logs]
    if not torch.equal(*impossible) or not torch.equal(*undefined):
        return torch.inf
    differences = (logs[0] - logs[1])[~impossible[0] & ~undefined[0]].abs()
    return differences.max().item() if len(differences) else 0.0


def _at_head(forward: Callable[[], object], head: nn.Linear, use: Callable[[Tensor], Tensor]) -> Tensor | None:
    def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Inside the forward pass, so that an autocast of the network applies to the head as well.
        raise _AtHead(use(inputs[0]))

    hook = head.register_forward_pre_hook(stop)
    try:
        forward()
    except _AtHead as reached:
        return reached.result
    finally:
        hook.remove()
    return None


def _log_probabilities(logits: Tensor, excluded: int | None) -> Tensor:
    logits = logits.float()
    if excluded is not None:
        keep = torch.arange(logits.shape[-1], device=logits.device) != excluded
        logits = logits[:, keep]
    return logits.log_softmax(dim=-1)
