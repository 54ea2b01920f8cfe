"""Evaluation of a model on tasks of the harness, with the noise of the masks beside the harness' own numbers."""

import contextlib
import difflib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from estimators import InputError
from infodis_stats.harness.extra_keys import with_mask_noise
from infodis_stats.harness.installed import TaskManager, handle_non_serializable, simple_evaluate
from infodis_stats.harness.language_model import DiffusionLM
from infodis_stats.harness.scored import FailedQuestionsError
from infodis_stats.harness.task_data import evaluation_attributes, task_data
from infodis_stats.harness.tasks import metrics_beyond_likelihoods
from infodis_stats.io.files import atomic_path
from infodis_stats.io.store import write_store

__all__ = ["Evaluation", "LoadedTasks", "evaluate_tasks"]

LIKE = 5  # names that resemble one that is not there
BOOTSTRAP = 100_000  # as in the harness


class LoadedTasks(TaskManager):  # type: ignore[misc]  # lm_eval has no types
    """Tasks of the harness, loaded once.

    Parameters
    ----------
    names : sequence of str
        Of tasks, groups and tags, or patterns of these.
    include_path : Path, optional
        A folder with tasks beside the harness' own.

    Attributes
    ----------
    names : list of str
    tasks : dict of str to lm_eval.api.task.Task
    left_out : dict of str to tuple of str
        By task, the metrics that likelihoods do not give, which are left out.

    Raises
    ------
    InputError
        If there is no such task, its documents cannot be loaded, or it needs generated text.
    """

    def __init__(self, names: Sequence[str], include_path: Path | None = None) -> None:
        if include_path is not None and not include_path.is_dir():
            raise InputError(f"there is no folder {include_path} with tasks")
        super().__init__(include_path=None if include_path is None else str(include_path))
        self.names = [name for wanted in names for name in self._named(wanted)]
        self._loaded = self._checked()
        self.tasks: dict[str, Any] = self._loaded["tasks"]
        self.left_out = {name: left for name, task in self.tasks.items() if (left := _without(task))}

    def load(self, task_list: Any) -> Any:
        """Return the tasks that were loaded, or of these the tasks of some names, with the groups that are complete."""
        if list(task_list) == self.names:
            return self._loaded
        tasks = {name: self.tasks[name] for name in task_list}
        groups = {
            name: group
            for name, group in self._loaded["groups"].items()
            if all(task.task_name in tasks for task in group.get_all_tasks())
        }
        return {
            "tasks": tasks,
            "groups": groups,
            "group_map": {name: each.child_names for name, each in groups.items()},
        }

    def _named(self, wanted: str) -> list[str]:
        found: list[str] = self.match_tasks([wanted])
        if found:
            return found
        near = difflib.get_close_matches(wanted, self.all_tasks, n=LIKE)
        raise InputError(
            f"the harness has no task {wanted!r}"
            + (f"; did you mean {', '.join(near)}?" if near else "; tasks of your own need include_path=")
        )

    def _checked(self) -> Any:
        try:
            loaded = super().load(self.names)
        except InputError:
            raise
        except Exception as error:  # of many types: the data set, the network, the YAML file
            raise InputError(f"the tasks {', '.join(self.names)} cannot be loaded: {_one_line(error)}") from error
        generating = [name for name, task in loaded["tasks"].items() if task.OUTPUT_TYPE == "generate_until"]
        if generating:
            raise InputError(
                f"{', '.join(generating)}: tasks of the output type generate_until need generated text, but this model "
                "gives likelihoods alone; leave them out"
            )
        return loaded


def _without(task: Any) -> tuple[str, ...]:
    """Leave out the metrics of a task that likelihoods do not give, and return them."""
    left = metrics_beyond_likelihoods(task)
    if left and len(left) == len(task._metric_fn_list):
        raise InputError(
            f"the task {task.task_name!r} has no metric but {', '.join(left)}, which needs greedy decoding; this model "
            "gives likelihoods alone"
        )
    for name in left:
        del task._metric_fn_list[name]
    return left


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    results : dict
        What the harness returns, with further keys (`infodis_stats.harness.extra_keys.with_mask_noise`).
    tasks : dict of str to xarray.Dataset
        Questions, or documents, of each task (`infodis_stats.harness.task_data.task_data`).
    """

    results: dict[str, Any]
    tasks: dict[str, xr.Dataset]

    def write(self, folder: Path) -> None:
        """Write ``results.json`` and ``samples_TASK.jsonl`` as the harness does, and ``questions.nc``.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        texts = {"results.json": _json({name: part for name, part in self.results.items() if name != "samples"}, 2)}
        for name, samples in self.results.get("samples", {}).items():
            texts[f"samples_{name}.jsonl"] = "".join(f"{_json(sample)}\n" for sample in samples)
        for name, text in texts.items():
            with atomic_path(folder / name) as beside:
                beside.write_text(text, encoding="utf-8")
        write_store(xr.DataTree.from_dict(dict(self.tasks)), folder / "questions.nc")


def evaluate_tasks(
    model: DiffusionLM, tasks: LoadedTasks, *, limit: float | None = None, level: float = 0.95, **options: Any
) -> Evaluation | None:
    """Run the harness on a model.

    Parameters
    ----------
    model : DiffusionLM
    tasks : LoadedTasks
    limit : float, optional
        Number of documents of each task, or their share if below 1.
    level : float, default 0.95
        Confidence level of the intervals in (0, 1).
    **options
        Of `lm_eval.simple_evaluate`, such as ``num_fewshot``.

    Returns
    -------
    Evaluation or None
        None in all processes but the first.

    Raises
    ------
    InputError
        If no question could be scored.

    Notes
    -----
    Where questions cannot be scored, the harness runs again without them: it would count them as right or wrong. What
    was scored before is not scored again. The data sets have these questions, with the reason.
    """
    model.tasks = dict(tasks.tasks)
    numbers = {name: list(range(_limited(len(task.eval_docs), limit))) for name, task in tasks.tasks.items()}
    failed: dict[str, dict[int, str]] = defaultdict(dict)
    while True:
        kept = {name: [each for each in every if each not in failed[name]] for name, every in numbers.items()}
        names = tasks.names if all(kept.values()) else [name for name, ids in kept.items() if ids]
        if not names:
            first = next(reason for reasons in failed.values() for reason in reasons.values())
            raise InputError(f"no question could be scored: {first}")
        some_failed = any(failed.values())
        which = {"samples": {name: ids for name, ids in kept.items() if ids}} if some_failed else {"limit": limit}
        try:
            with contextlib.redirect_stdout(sys.stderr):  # the harness prints what it does
                results = simple_evaluate(
                    model=model, tasks=names, task_manager=tasks, bootstrap_iters=BOOTSTRAP, **which, **options
                )
            break
        except FailedQuestionsError as error:
            for (name, number), reason in error.problems.items():
                failed[name][kept[name][number]] = _renumbered(reason, name, number, kept[name][number])
    scored = model.gathered()
    if results is None:
        return None
    attributes = evaluation_attributes(model.model, model.settings(), level)
    of_tasks = defaultdict(list)
    for each in scored:
        name = each.document.task
        if name in kept and each.document.doc_id < len(kept[name]):
            document = replace(each.document, doc_id=kept[name][each.document.doc_id])
            of_tasks[name].append(replace(each, document=document))
    data = {
        name: task_data(name, task, of_tasks[name], failed[name], attributes | {"level": level})
        for name, task in tasks.tasks.items()
    }
    return Evaluation(with_mask_noise(results, data, level), data)


def _limited(count: int, limit: float | None) -> int:
    if limit is None:
        return count
    return min(count, math.ceil(count * limit) if limit < 1.0 else int(limit))


def _renumbered(reason: str, name: str, number: int, own: int) -> str:
    # The harness numbers the documents that it is given; these may be some of all.
    return reason.replace(f"task {name!r}, document {number}", f"task {name!r}, document {own}", 1)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, default=handle_non_serializable, ensure_ascii=False)
