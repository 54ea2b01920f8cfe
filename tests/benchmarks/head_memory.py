"""Score half of the tokens with a large head; as a script, print the peak memory and the time.

It runs in its own process, whose peak memory no earlier work can mask. ``lean`` runs the model; ``full`` computes, as
is usual, the logits and log-probabilities of all positions.
"""

import json
import math
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from infodis_stats.models import MaskedLanguageModel


class Network(nn.Module):
    """A network with a minimal body."""

    def __init__(self, vocabulary: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        hidden = self.embedding(tokens)
        return SimpleNamespace(logits=self.head(torch.tanh(self.mix(hidden) + hidden.mean(dim=1, keepdim=True))))


class Task:
    """Rows of random tokens, half of them masked, and the two ways to score them."""

    def __init__(self, vocabulary: int = 126_464, rows: int = 2, length: int = 1_024) -> None:
        torch.manual_seed(0)
        self.model = MaskedLanguageModel(Network(vocabulary), "llada", mask_id=vocabulary - 1, length=length)
        self.tokens = torch.randint(vocabulary - 1, (rows, length))
        self.masked = torch.rand(rows, length) < 0.5

    def lean(self) -> Tensor:
        return self.model.token_nll(self.tokens, self.masked)

    @torch.no_grad()
    def full(self) -> Tensor:
        inputs = torch.where(self.masked, self.model.mask_id, self.tokens)
        logs = self.model.network(inputs).logits.float().log_softmax(dim=-1)
        return torch.where(self.masked, -logs.gather(-1, self.tokens[..., None])[..., 0], 0.0)


def proc(file: str, name: str) -> float:
    """An entry of a file in Linux's /proc, in MiB; NaN if there is none."""
    path = Path("/proc") / file
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), math.nan)


def measured(task: Task, kind: str) -> dict[str, float]:
    before, started = proc("self/status", "VmRSS"), time.process_time()
    losses = task.lean() if kind == "lean" else task.full()
    seconds = time.process_time() - started
    peak = proc("self/status", "VmHWM") - before
    return {"MiB": peak, "seconds": seconds, "sum": losses.double().sum().item()}


if __name__ == "__main__":
    print(json.dumps(measured(Task(), sys.argv[1])))
