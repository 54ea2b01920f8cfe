"""The command that runs tasks of lm-evaluation-harness."""

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from estimators import InputError
from infodis_stats.analysis.replicates import check_level
from infodis_stats.commands.failures import report_failed
from infodis_stats.commands.models import read_model, with_default_loading
from infodis_stats.harness.comparison import compare_models
from infodis_stats.harness.evaluation import Evaluation, LoadedTasks, evaluate_tasks
from infodis_stats.harness.language_model import DiffusionLM
from infodis_stats.harness.ledger import QuestionLedger, opened_ledger
from infodis_stats.harness.metrics import left_out_sentences
from infodis_stats.harness.processes import Processes
from infodis_stats.harness.report.comparison_table import comparison_sentences, comparison_table
from infodis_stats.harness.report.document import write_harness_report
from infodis_stats.harness.table import results_table
from infodis_stats.io.files import writable_folder
from infodis_stats.io.tables import terminal_table
from infodis_stats.laws import Law

__all__ = ["evaluate"]

COMPARABLE = ("choices", "perplexity")
LEDGER, AGAINST = "ledger", "against"  # folders inside that of the output


def evaluate(options: argparse.Namespace) -> None:
    """Run tasks under one model, or two, and print and write the harness' table with the noise of the masks."""
    check_level(options.level)
    if options.limit is not None and not options.limit > 0:
        raise InputError(f"limit must be above 0, got {options.limit:g}")
    if options.output is not None:
        writable_folder(options.output)
    tasks = LoadedTasks([name.strip() for name in options.tasks.split(",")], options.include_path)
    first = _evaluated(options.model, options, tasks, options.output)
    second = None
    if options.against is not None:
        folder = None if options.output is None else options.output / AGAINST
        second = _evaluated(options.against, with_default_loading(options), tasks, folder)
    if first is None:
        return
    comparisons = [] if second is None else _compared(first, second, options.level)
    page = None
    if options.output is not None:
        page = write_harness_report(first.tasks, options.output, first.results, comparisons, options.level)
        if second is not None:
            write_harness_report(second.tasks, options.output / AGAINST, second.results, (), options.level)
    evaluations = {options.model: first}
    if second is not None:  # the same model may be loaded with other options
        same = options.model == options.against
        evaluations = {options.model + " (first)" * same: first, options.against + " (second)" * same: second}
    if options.json:
        print(json.dumps(_as_json(evaluations, comparisons), indent=1, default=str))
    else:
        print("\n".join(_lines(evaluations, comparisons, tasks)))
        if page is not None:
            print(f"The report is {page}")
    failed = {
        f"{model} {name} {number}": f"{model}: {reason}" if len(evaluations) > 1 else str(reason)
        for model, evaluation in evaluations.items()
        for name, data in evaluation.tasks.items()
        for number, reason in zip(data[_unit(data)].values, data["failed"].values, strict=True)
        if reason
    }
    asked = sum(data["failed"].size for evaluation in evaluations.values() for data in evaluation.tasks.values())
    report_failed(failed, asked, "questions")


def _evaluated(name: str, options: argparse.Namespace, tasks: LoadedTasks, folder: Path | None) -> Evaluation | None:
    """Evaluate one model; in a folder, write what was found and continue an interrupted run."""
    options = argparse.Namespace(**vars(options) | {"device": Processes.started().device(options.device)})
    network = read_model(name, options)
    if isinstance(network, Law):
        raise InputError("eval needs a network, because tasks are text; a law scores sequences of symbols only")
    with _ledger(folder) as ledger:
        model = DiffusionLM(
            network,
            error=options.error,
            passes=options.passes,
            precision=options.precision,
            most_passes=options.most_passes,
            estimator=options.estimator,
            seed=options.seed,
            overlap=options.overlap,
            batch_size=options.batch_size,
            device=options.device,
            ledger=ledger,
        )
        evaluation = evaluate_tasks(
            model,
            tasks,
            limit=options.limit,
            level=options.level,
            num_fewshot=options.num_fewshot,
            apply_chat_template=options.apply_chat_template,
            system_instruction=options.system_instruction,
            fewshot_as_multiturn=options.fewshot_as_multiturn,
        )
    if evaluation is not None and folder is not None:
        evaluation.write(writable_folder(folder))
    return evaluation


@contextlib.contextmanager
def _ledger(folder: Path | None) -> Iterator[QuestionLedger | None]:
    if folder is None:
        yield None
        return
    with opened_ledger(folder / LEDGER, Processes.started().rank) as ledger:
        yield ledger


def _compared(first: Evaluation, second: Evaluation, level: float) -> list[xr.Dataset]:
    """Compare two models on each task of which both have scored some of the same questions."""
    compared = []
    for name, data in first.tasks.items():
        other = second.tasks[name]
        scored = [set(part[_unit(part)].values[part["failed"].values == ""].tolist()) for part in (data, other)]
        if data.attrs["kind"] in COMPARABLE and scored[0] & scored[1]:
            compared.append(compare_models(data, other, level))
    return compared


def _lines(
    evaluations: Mapping[str, Evaluation], comparisons: Sequence[xr.Dataset], tasks: LoadedTasks
) -> Iterator[str]:
    for name, evaluation in evaluations.items():
        yield f"{name}\n\n{results_table(evaluation.results)}\n"
        yield from left_out_sentences(evaluation.tasks)
    for compared in comparisons:
        yield f"{compared.attrs['task']}: {' minus '.join(evaluations)}\n"
        yield f"{terminal_table(comparison_table(compared))}\n"
        yield from comparison_sentences(compared)
        yield ""
    for name, metrics in tasks.left_out.items():
        yield f"{name}: {', '.join(metrics)} left out, because it needs greedy decoding."


def _as_json(evaluations: Mapping[str, Evaluation], comparisons: Sequence[xr.Dataset]) -> dict[str, Any]:
    first, *others = (
        {name: part for name, part in evaluation.results.items() if name != "samples"}
        for evaluation in evaluations.values()
    )
    for other in others:
        values = [
            {"attributes": dict(compared.attrs)}
            | {str(name): variable.values.tolist() for name, variable in compared.variables.items()}
            for compared in comparisons
        ]
        return first | {"against": other, "comparisons": values}
    return first


def _unit(data: xr.Dataset) -> str:
    return str(data["failed"].dims[0])
