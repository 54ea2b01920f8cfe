"""Tasks of the harness from the command line: table, files, resumption, failed questions, and two models."""

import json
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from infodis_stats.estimates import races
from tests.harness.conftest import TASKS, own_cache  # noqa: F401  # a fixture of every test here
from tests.support.command_line import run

pytest.importorskip("lm_eval", reason="the harness needs lm-eval")

from lm_eval.tasks import TaskManager

from infodis_stats.harness import language_model

ASKED = ("eval", "--model", "austen-bpe", "--include-path", TASKS)
FEW = ("--most-passes", 17)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Leave out what takes the harness seconds: the index of its own tasks, and the description of the machine."""
    monkeypatch.setattr(TaskManager, "__init__", partialmethod(TaskManager.__init__, include_defaults=False))
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    monkeypatch.setattr("infodis_stats.harness.evaluation.BOOTSTRAP", 0)


def test_the_table_that_users_know_with_two_more_columns_and_files(tmp_path, capsys):
    tasks = "austen_choices,austen_last_words,austen_passages"
    status, printed, _ = run(capsys, *ASKED, "--tasks", tasks, "--limit", 3, "--output", tmp_path, *FEW)
    assert status == 0
    header = [cell.strip() for cell in printed.splitlines()[2].split("|")]
    assert header[1:-1] == [
        *("Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"),
        *("Mask stderr", "95 % interval"),
    ]
    assert "austen_last_words: acc left out, because it needs greedy decoding." in printed
    assert f"The report is {tmp_path / 'report.html'}" in printed
    results = json.loads((tmp_path / "results.json").read_text())
    own = results["results"]["austen_endings"]
    extra = [key for key in own if "mask" in key]
    assert {"acc_mask_stderr,none", "acc_norm_mask_ci,none", "mask_passes,none"} <= set(extra)
    assert {key for key in own if key not in extra} == {
        *("alias", "name", "sample_len", "sample_count", "acc,none", "acc_stderr,none"),
        *("acc_norm,none", "acc_norm_stderr,none"),
    } & set(own)
    assert results["groups"]["austen_choices"]["acc_mask_stderr,none"] >= 0
    samples = (tmp_path / "samples_austen_pairs.jsonl").read_text().splitlines()
    assert [json.loads(sample)["doc_id"] for sample in samples] == [0, 1, 2]
    endings, words = (stored(tmp_path, name) for name in ("austen_endings", "austen_last_words"))
    assert endings["nll"].shape == (3, 4)
    assert float(endings["right"].sel(score="acc").mean()) == own["acc,none"]
    assert np.exp(float(words["nll"].mean())) == pytest.approx(
        results["results"]["austen_last_words"]["perplexity,none"]
    )
    assert "Evaluation on" in (tmp_path / "report.html").read_text()


def stored(folder, task):
    with xr.open_datatree(folder / "questions.nc", engine="h5netcdf") as tree:
        return tree[task].to_dataset().load()


def numbers(capsys, *options):
    status, printed, error = run(capsys, *ASKED, "--tasks", "austen_endings", "--limit", 4, "--json", *FEW, *options)
    assert status == 0, error
    return {key: value for key, value in json.loads(printed)["results"]["austen_endings"].items() if "," in key}


def test_an_interrupted_run_continues_and_neither_batches_nor_the_ledger_change_a_number(tmp_path, capsys, monkeypatch):
    whole = numbers(capsys)
    real, calls = races.race, []

    def killed(*arguments, **options):
        for number, finish in enumerate(real(*arguments, **options)):
            if number == 2:
                raise KeyboardInterrupt
            yield finish

    def counted(model, questions, **options):
        calls.append(len(questions))
        return real(model, questions, **options)

    monkeypatch.setattr(language_model, "race", killed)
    assert run(capsys, *ASKED, "--tasks", "austen_endings", "--limit", 4, *FEW, "--output", tmp_path)[0] == 130
    monkeypatch.setattr(language_model, "race", counted)
    assert numbers(capsys, "--output", tmp_path) == whole
    assert sum(calls) == 2  # of four
    assert numbers(capsys, "--output", tmp_path) == whole
    assert sum(calls) == 2
    assert numbers(capsys, "--output", tmp_path, "--seed", 1) != whole  # control: another seed is another evaluation
    assert sum(calls) == 6
    small = numbers(capsys, "--batch-size", 3)
    assert small.keys() == whole.keys()
    for key, value in whole.items():  # floats of a network agree up to its rounding
        is_text = isinstance(value, str) or key == "mask_cautions,none"
        assert small[key] == (value if is_text else pytest.approx(value, rel=1e-4)), key


def own_task(folder: Path, documents: list[dict[str, object]], name: str = "some") -> None:
    (folder / "documents.py").write_text((TASKS / "documents.py").read_text())
    (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, documents)))
    yaml = (TASKS / "austen_endings.yaml").read_text()
    (folder / f"{name}.yaml").write_text(yaml.replace("austen_endings", name).replace("endings.jsonl", f"{name}.jsonl"))


def test_questions_that_fail_are_left_out_named_and_counted(tmp_path, capsys):
    lasts = ("tree", "\N{SNOWMAN}", "try", "\N{SNOWMAN}\N{SNOWMAN}", "so")
    own_task(tmp_path, [{"context": "It is a", "choices": ["truth", last], "answer": 0} for last in lasts])
    options = ("--include-path", tmp_path, "--tasks", "some", "--passes", 16, "--output", tmp_path / "out")
    status, printed, error = run(capsys, "eval", "--model", "austen", *options)
    assert status == 2
    assert "2 of 5 questions left out" in error
    assert "document 1" in error
    assert "document 3" in error
    assert "| some" in printed
    data = stored(tmp_path / "out", "some")
    assert (data["failed"].values != "").tolist() == [False, True, False, True, False]
    results = json.loads((tmp_path / "out" / "results.json").read_text())["results"]["some"]
    assert results["mask_failed,none"] == 2
    assert results["acc,none"] == float(data["right"].sel(score="acc").values[[0, 2, 4]].mean())
    assert "Failed" in (tmp_path / "out" / "report.md").read_text()


def test_a_task_all_of_whose_questions_fail_is_one_sentence(tmp_path, capsys):
    own_task(tmp_path, [{"context": "It", "choices": ["\N{SNOWMAN}", "is"], "answer": 0}])
    status, _, error = run(capsys, "eval", "--model", "austen", "--include-path", tmp_path, "--tasks", "some")
    assert status == 2
    assert "no question could be scored" in error
    assert "Traceback" not in error


def test_a_task_without_a_result_is_named_and_takes_no_other_group_with_it(tmp_path, capsys):
    own_task(tmp_path, [{"context": "It", "choices": ["\N{SNOWMAN}", "is"], "answer": 0}], "never")
    own_task(tmp_path, [{"context": "It " * 80, "choices": ["was", "is"], "answer": answer} for answer in (0, 1)])
    for group, task in {"whole": "some", "partly": "never"}.items():
        text = f"group: {group}\ntask: [{task}]\naggregate_metric_list: [{{metric: acc, weight_by_size: true}}]\n"
        (tmp_path / f"{group}.yaml").write_text(text)
    options = ("--include-path", tmp_path, "--passes", 1, "--output", tmp_path / "out")
    status, printed, _ = run(capsys, "eval", "--model", "austen", *options, "--tasks", "whole,partly")
    assert status == 2
    groups = json.loads((tmp_path / "out" / "results.json").read_text())["groups"]
    assert groups.keys() == {"whole"}
    assert "never: no question could be scored, so neither it nor a group with it has a row." in printed
    assert "some: the contexts of 2 of 2 questions are too long for the model and lost their first tokens." in printed


def test_two_models_on_one_task(tmp_path, capsys):
    options = ("--tasks", "austen_pairs", "--limit", 4, "--against", "austen", "--output", tmp_path, *FEW)
    status, printed, _ = run(capsys, *ASKED, *options)
    assert status == 0
    assert "austen_pairs: austen-bpe minus austen" in printed
    assert "acc, points" in printed
    assert (tmp_path / "against" / "results.json").is_file()
    status, printed, _ = run(capsys, *ASKED, *options, "--json")  # from the ledger
    parts = json.loads(printed)
    (compared,) = parts["comparisons"]
    first, second = (part["results"]["austen_pairs"]["acc,none"] for part in (parts, parts["against"]))
    assert compared["difference"] == [pytest.approx(first - second)]


def test_the_same_model_twice_is_two_models_and_what_fails_under_the_second_is_named(tmp_path, capsys):
    own_task(tmp_path, [{"context": "It is", "choices": ["so", "x" * count], "answer": 0} for count in (1, 100)])
    options = ("eval", "--include-path", tmp_path, "--tasks", "some", "--passes", 1)
    status, printed, error = run(capsys, *options, "--model", "austen", "--against", "austen")
    assert status == 0, error
    assert printed.count("Mask stderr:") == 2
    assert "some: austen (first) minus austen (second)" in printed
    status, _, error = run(capsys, *options, "--model", "austen", "--against", "austen-bpe")
    assert status == 2
    assert "1 of 4 questions left out: austen-bpe: task 'some', document 1: the continuation of choice 1" in error


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--tasks", "austen_ending"), "no task 'austen_ending'; did you mean austen_endings"),
        (("--tasks", "austen_endings", "--limit", 0), "--limit must be above 0, got 0"),
        (("--tasks", "austen_endings", "--level", 1), "level must be"),
        (("--tasks", "austen_endings", "--error", 2), "--error must be between 0 and 1, got 2.0"),
        (("--tasks", "austen_endings", "--error", 0.1, "--passes", 9), "exclude one another"),
        (("--tasks", "austen_endings", "--estimator", "chain"), "needs a fixed number of passes"),
        (("--tasks", "austen_endings", "--include-path", "absent"), "there is no folder absent with tasks"),
        (("--tasks", "austen_endings", "--apply-chat-template"), "chat template"),
    ],
)
def test_bad_input_is_one_sentence(options, sentence, capsys):
    status, _, error = run(capsys, *ASKED, "--limit", 1, *options)
    assert status == 2
    assert sentence in error
    assert "Traceback" not in error


def test_a_task_that_needs_generated_text_is_refused(tmp_path, capsys):
    own_task(tmp_path, [{"context": "It is", "choices": ["so", "no"], "answer": 0}])
    yaml = (tmp_path / "some.yaml").read_text()
    kept = yaml.split("metric_list")[0].replace("multiple_choice", "generate_until")
    (tmp_path / "some.yaml").write_text(kept + "metric_list:\n  - metric: exact_match\n")
    status, _, error = run(capsys, "eval", "--model", "austen", "--include-path", tmp_path, "--tasks", "some")
    assert status == 2
    assert "some: tasks of the output type generate_until need generated text" in error


def test_a_law_is_refused(capsys):
    status, _, error = run(capsys, "eval", "--model", "reports/dna_markov.toml", "--tasks", "austen_pairs",
                           "--include-path", TASKS)  # fmt: skip
    assert status == 2
    assert "eval needs a network" in error


@pytest.mark.slow
def test_the_readme_shows_what_its_line_prints(capsys):
    readme = (TASKS.parents[1] / "README.md").read_text()
    shown = [line[4:] for line in readme.splitlines() if line.startswith(("    |", "    Undecided"))]
    status, printed, _ = run(capsys, *ASKED, "--tasks", "austen_choices")
    assert status == 0
    printed = printed.splitlines()
    for line in shown[:-1]:
        label, value = line.split("±")[0], line.split("|")[7]
        (same,) = {each for each in printed if each.startswith(label)}
        assert same.split("|")[7] == value
    mask_errors = [line.split("|")[10].strip() for line in shown[2:-1]]
    expected = [line.split("|")[10].strip() for line in printed if "acc" in line][: len(mask_errors)]
    assert np.array(mask_errors, dtype=float) == pytest.approx(np.array(expected, dtype=float), abs=2e-4)
    assert shown[-1].split(". ")[0] in "\n".join(printed)
