"""How full the calls of the model are: rows and tokens of each, and the share of padding."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance

import infodis_stats as ids
from infodis_stats.harness.evaluation import LoadedTasks, evaluate_tasks
from infodis_stats.harness.language_model import DiffusionLM
from infodis_stats.harness.requests import choice_documents
from tests.benchmarks.harness.runs import MODEL, QUESTIONS, TASKS
from tests.benchmarks.measure import ROOT

BATCHES = (32, 128)


@dataclass(frozen=True)
class Fullness:
    """Calls of a model: means over calls, and the share of the positions that are padding."""

    words: str
    largest: int
    rows: float
    tokens: float
    padding: float


class Counter:
    """Counts rows, tokens and positions of the calls of a model."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.tokens: list[int] = []
        self.positions: list[int] = []

    def fullness(self, words: str, largest: int) -> Fullness:
        calls = len(self.rows)
        padding = 1 - sum(self.tokens) / sum(self.positions)
        return Fullness(words, largest, sum(self.rows) / calls, sum(self.tokens) / calls, padding)


@contextmanager
def counted(model: Any) -> Iterator[Counter]:
    counter, own = Counter(), model.token_nll

    def token_nll(tokens: torch.Tensor, masked: torch.Tensor, **options: Any) -> torch.Tensor:
        lengths = options.get("lengths")
        counter.rows.append(len(tokens))
        counter.positions.append(tokens.numel())
        counter.tokens.append(tokens.numel() if lengths is None else int(torch.as_tensor(lengths).sum()))
        return own(tokens, masked, **options)

    model.token_nll = token_nll
    try:
        yield counter
    finally:
        del model.token_nll


def measure(questions: int) -> list[Fullness]:
    """Count the calls of races; of LLaDA's copy, whose rows of a call are one text, they follow from the lengths."""
    network, found = ids.load_model(MODEL), []
    for name in TASKS:
        tasks = LoadedTasks([name], ROOT / "reports" / "tasks")
        for rows in BATCHES:
            lengths = _lengths(network, tasks.tasks[name], questions)
            found.append(Fullness(f"{name}: LLaDA's way", rows, rows, rows * sum(lengths) / len(lengths), 0.0))
            with counted(network) as counter:
                evaluate_tasks(DiffusionLM(network, batch_size=rows), tasks, limit=questions, log_samples=False)
            found.append(counter.fullness(f"{name}: races", rows))
    return found


def _lengths(network: Any, task: Any, questions: int) -> list[int]:
    task.build_all_requests(limit=questions, rank=0, world_size=1)
    requests: list[Instance] = task.instances
    documents = choice_documents(requests, network, {task.task_name: task})
    return [len(target.tokens) for document in documents for target in document.questions[0].targets]


def kept(cache: Path, questions: int = QUESTIONS, measure: Callable[[int], list[Fullness]] = measure) -> list[Fullness]:
    """Return what was counted, from the cache if it is there."""
    path = cache / "fullness.json"
    if not path.exists():
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            found = measure(questions)
        path.write_text(json.dumps([asdict(each) for each in found], indent=1), encoding="utf-8")
    return [Fullness(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
