"""Slow references for the authors' scripts: full log-probabilities, one row and one masked token at a time."""

from collections.abc import Callable
from types import SimpleNamespace

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
}


def network(family: str) -> nn.Module:
    """Return the tiny network of a family, with random weights from a fixed seed."""
    torch.manual_seed(5)
    made = NETWORKS[family](SimpleNamespace(vocab_size=VOCABULARY))
    for weights in made.parameters():
        nn.init.normal_(weights, std=0.7)
    return made


def llada(net: nn.Module, row: Tensor) -> Tensor:
    """Return log-probabilities, shape (1, length, vocabulary), of a row that contains mask tokens."""
    logits: Tensor = net(row).logits
    return logits.log_softmax(-1)


def dream(net: nn.Module, row: Tensor) -> Tensor:
    """Shift the logits by one position; see `llada`."""
    logits: Tensor = net(torch.cat([torch.tensor([[BOS]]), row], dim=1)).logits
    return torch.cat([logits[:, :1], logits[:, :-1]], dim=1)[:, 1:].log_softmax(-1)


def mdlm(net: nn.Module, row: Tensor) -> Tensor:
    """Exclude the mask token; see `llada`."""
    logits: Tensor = net(row, torch.zeros(1))
    logits[:, :, MASK] = -torch.inf
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


DIRECT = {"llada": llada, "dream": dream, "mdlm": mdlm, "radd": radd, "sedd": sedd}


@torch.no_grad()
def slow_nll(
    log_probabilities: Callable[[nn.Module, Tensor], Tensor], net: nn.Module, tokens: Tensor, masked: Tensor
) -> Tensor:
    """Return the loss of each masked token, shape (batch, length), one row and one position at a time."""
    losses = torch.zeros(tokens.shape)
    for row in range(len(tokens)):
        hidden = tokens[row].clone()
        hidden[masked[row]] = MASK
        logs = log_probabilities(net, hidden[None])[0]
        for position in range(tokens.shape[1]):
            if masked[row, position]:
                losses[row, position] = -logs[position, tokens[row, position]]
    return losses
