"""Evaluates a task of lm-evaluation-harness in this process, or in several: ``torchrun -m`` this module."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from infodis_stats.harness.scored import FailedQuestionsError

__all__ = ["evaluation", "write_task"]

TASKS = Path(__file__).parents[2] / "reports" / "tasks"


def write_task(folder: Path) -> None:
    """Write a task of 5 documents, of which 3 are equal, and one cannot be encoded."""
    endings: dict[str, Any] = {
        "context": "It is a",
        "choices": ["truth universally", "trooth universally"],
        "answer": 0,
    }
    documents = [endings, endings, endings | {"context": "It is no"}, endings, endings | {"context": "\N{SNOWMAN}"}]
    (folder / "documents.py").write_text((TASKS / "documents.py").read_text())
    (folder / "some.jsonl").write_text("\n".join(map(json.dumps, documents)))
    yaml = (TASKS / "austen_endings.yaml").read_text()
    (folder / "some.yaml").write_text(yaml.replace("austen_endings", "some").replace("endings.jsonl", "some.jsonl"))


def evaluation(folder: Path) -> dict[str, Any] | None:
    """Evaluate that task, then without what failed; return what the first process found, and None in the others."""
    lm_eval: Any = pytest.importorskip("lm_eval")
    tasks: Any = pytest.importorskip("lm_eval.tasks")
    from infodis_stats.harness.language_model import DiffusionLM  # noqa: PLC0415  needs lm-eval

    model = DiffusionLM("austen", passes=32)
    manager = tasks.TaskManager(include_path=str(folder), include_defaults=False)
    options = {"tasks": ["some"], "task_manager": manager, "bootstrap_iters": 0}
    problems = {}
    try:
        lm_eval.simple_evaluate(model=model, **options)
    except FailedQuestionsError as error:
        problems = error.problems
    left = [doc_id for doc_id in range(5) if ("some", doc_id) not in problems]
    results = lm_eval.simple_evaluate(model=model, samples={"some": left}, **options)
    scored = model.gathered()
    if results is None:
        return None
    return {
        "processes": model.world_size,
        "problems": list(problems.values()),
        "accuracy": results["results"]["some"]["acc,none"],
        "logged": [[response[0][0] for response in sample["resps"]] for sample in results["samples"]["some"]],
        "kept": [[each.document.doc_id, *each.log_likelihoods.tolist()] for each in scored],
    }


if __name__ == "__main__":
    found = evaluation(Path(sys.argv[1]))
    if found is not None:
        (Path(sys.argv[1]) / "found.json").write_text(json.dumps(found))
