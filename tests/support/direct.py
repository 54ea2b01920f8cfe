"""Slow references for the authors' scripts: full log-probabilities, one row and one masked token at a time."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from tests.support import tiny_networks

VOCABULARY, MASK, BOS = 11, 10, 9
NETWORKS = {
    "llada": tiny_networks.LLaDA,
    "dream": tiny_networks.Dream,
    "mdlm": tiny_networks.MDLM,
    "radd": tiny_networks.RADD,
    "sedd": tiny_networks.SEDD,
    "smdm": tiny_networks.SMDM,
}

LogProbabilities = Callable[[nn.Module, Tensor], Tensor]


def network(family: str) -> nn.Module:
    """Return the tiny network of a family, with random weights from a fixed seed."""
    torch.manual_seed(5)
    return randomised(NETWORKS[family](SimpleNamespace(vocab_size=VOCABULARY)))


def randomised(net: nn.Module, std: float = 0.7) -> nn.Module:
    """Replace all weights by normal random numbers from torch's generator, in evaluation mode."""
    for weights in net.parameters():
        nn.init.normal_(weights, std=std)
    return net.eval()


def llada(net: nn.Module, row: Tensor) -> Tensor:
    """Return log-probabilities, shape (1, length, vocabulary), of a row that contains mask tokens."""
    logits: Tensor = net(row).logits
    return logits.log_softmax(-1)


def shifted(net: nn.Module, row: Tensor, bos: int = BOS) -> Tensor:
    """Put BOS in front and shift the logits by one position; see `llada`."""
    logits: Tensor = net(torch.cat([torch.tensor([[bos]]), row], dim=1)).logits
    return torch.cat([logits[:, :1], logits[:, :-1]], dim=1)[:, 1:].log_softmax(-1)


def between(before: Sequence[int], after: Sequence[int]) -> LogProbabilities:
    """Put special tokens around a row; see `llada`."""

    def log_probabilities(net: nn.Module, row: Tensor) -> Tensor:
        inputs = torch.tensor([[*before, *row[0].tolist(), *after]])
        logits: Tensor = net(input_ids=inputs).logits
        return logits[:, len(before) : inputs.shape[1] - len(after)].log_softmax(-1)

    return log_probabilities


def everything_visible(log_probabilities: LogProbabilities) -> LogProbabilities:
    """Let a causal network of transformers see all positions, by an attention mask of zeros."""

    def visible(net: nn.Module, row: Tensor) -> Tensor:
        def call(inputs: Tensor) -> Any:
            length = inputs.shape[1]
            return net(input_ids=inputs, attention_mask=torch.zeros(1, 1, length, length))

        return log_probabilities(call, row)  # type: ignore[arg-type] # a network is called only

    return visible


def mdlm(net: nn.Module, row: Tensor) -> Tensor:
    """Exclude the mask token; see `llada`."""
    logits: Tensor = net(row, torch.zeros(1))
    logits[:, :, MASK] = -torch.inf
    return logits.log_softmax(-1)


def smdm(net: nn.Module, row: Tensor) -> Tensor:
    """Take the logits, which have none for the mask token; see `llada`."""
    logits: Tensor = net(row)
    return logits.log_softmax(-1)


def radd(net: nn.Module, row: Tensor) -> Tensor:
    """Take the output as it is; see `llada`."""
    logs: Tensor = net(row)
    return logs


def sedd(net: nn.Module, row: Tensor) -> Tensor:
    """Normalise the scores at the noise level of the row; see `llada`."""
    rate = min(max((row == MASK).float().mean().item(), 1e-3), 1 - 1e-3)
    scores: Tensor = net(row, -torch.log(torch.tensor([1 - rate])))[:, :, :-1].exp()
    return (scores / scores.sum(-1, keepdim=True)).log()


DIRECT: dict[str, LogProbabilities] = {
    "llada": llada,
    "dream": shifted,
    "mdlm": mdlm,
    "radd": radd,
    "sedd": sedd,
    "smdm": smdm,
}


@torch.no_grad()
def slow_nll(
    log_probabilities: LogProbabilities, net: nn.Module, tokens: Tensor, masked: Tensor, mask: int = MASK
) -> Tensor:
    """Return the loss of each masked token, shape (batch, length), one row and one position at a time."""
    losses = torch.zeros(tokens.shape)
    for row in range(len(tokens)):
        hidden = tokens[row].clone()
        hidden[masked[row]] = mask
        logs = log_probabilities(net, hidden[None])[0]
        for position in range(tokens.shape[1]):
            if masked[row, position]:
                losses[row, position] = -logs[position, tokens[row, position]]
    return losses
