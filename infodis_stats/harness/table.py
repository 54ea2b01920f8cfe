"""The harness' table of results, with two more columns and what they rest on."""

from collections.abc import Iterator, Mapping
from typing import Any

from tabulate import tabulate

from infodis_stats.harness.extra_keys import NOT_KNOWN, TOKENS
from infodis_stats.harness.groups import ordered_entries, tasks_of_group
from infodis_stats.io.tables import printable
from infodis_stats.results.validity import CAUTIONS

__all__ = ["results_table"]

ARROWS = {True: "↑", False: "↓"}
MOST_NAMED = 3
NO_ERROR = "no-error"
MEANING = (
    "Mask stderr: how much the value varies with the seed of the masks. Interval: of the model's own value on these "
    "questions or documents; an undecided question may count either way."
)
SIDES = ("left", "right", "left", "right", "left", "left", "right", "left", "right", "right", "left")


def results_table(results: Mapping[str, Any]) -> str:
    """Return the table that users of the harness know, with the noise of the masks; it is valid Markdown.

    Parameters
    ----------
    results : mapping
        Of `infodis_stats.harness.extra_keys.with_mask_noise`.

    Returns
    -------
    str
        One row per metric of a task, and a second table of groups where there are any. ``Mask stderr`` and the interval
        are those of the further keys. Below are the undecided questions, the passes and the failed questions.

    Examples
    --------
    >>> entry = {"alias": "arc", "acc,none": 0.5, "acc_stderr,none": 0.05, "sample_len": 101}
    >>> noise = {"acc_mask_stderr,none": 0.01, "acc_mask_ci,none": [0.47, 0.53], "mask_level,none": 0.95}
    >>> row = results_table({"results": {"arc": entry | noise}, "versions": {"arc": 1}}).splitlines()[2]
    >>> [cell.strip() for cell in row.split("|")][5:-1]
    ['acc', '', '0.5000', '±', '0.0500', '0.0100', '[0.4700, 0.5300]']
    """
    parts = [_section(results, section) for section in ("results", "groups") if results.get(section)]
    return "\n\n".join([*parts, *_sentences(results)])


def _section(results: Mapping[str, Any], section: str) -> str:
    rows = [row for name, depth in ordered_entries(results, section) for row in _rows(results, section, name, depth)]
    levels = [entry["mask_level,none"] for entry in results[section].values() if "mask_level,none" in entry]
    interval = f"{100 * levels[0]:g} % interval" if levels else "Interval"
    headers = ["Groups" if section == "groups" else "Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", ""]
    headers += ["Stderr", "Mask stderr", interval]
    return str(tabulate(rows, headers, tablefmt="pipe", disable_numparse=True, colalign=SIDES))


def _rows(results: Mapping[str, Any], section: str, name: str, depth: int) -> Iterator[list[str]]:
    entry = results[section][name]
    shown = " " * depth + "- " * bool(depth) + str(entry.get("alias", name))
    version = results.get("versions", {}).get(name, NOT_KNOWN)
    version = f"{version:g}" if isinstance(version, float) else str(version)
    shots, better = str(results.get("n-shot", {}).get(name, " ")), results.get("higher_is_better", {}).get(name, {})
    own = [key for key in sorted(entry) if "," in key and "mask" not in key and "_stderr," not in key]
    values = {key: entry[key] for key in own}
    if f"{TOKENS}_mask,none" in entry:
        values[f"{TOKENS},none"], better = entry[f"{TOKENS}_mask,none"], better | {TOKENS: False}
    for key, value in values.items():
        metric, _, filtered = key.partition(",")
        stderr, mask_stderr = (entry.get(f"{metric}{part}_stderr,{filtered}") for part in ("", "_mask"))
        cells = [shown, version, filtered, shots, metric, ARROWS.get(better.get(metric), ""), _number(value)]
        cells += ["" if stderr is None else "±", _number(stderr), _number(mask_stderr)]
        yield [_cell(text) for text in [*cells, _interval(entry.get(f"{metric}_mask_ci,{filtered}"))]]
        shown = version = ""
    if shown:  # a group without metrics of its own is the heading of its tasks
        yield [_cell(shown), _cell(version), *[""] * 9]


def _cell(text: str) -> str:
    return printable(text).replace("|", "&#124;")


def _number(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _interval(ends: list[float | str] | None) -> str:
    return "" if ends is None else NOT_KNOWN if NOT_KNOWN in ends else f"[{', '.join(map(_number, ends))}]"


def _sentences(results: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the two columns mean, and what they rest on; nothing where no task has them."""
    groups = results.get("group_subtasks", {})
    tasks = {
        name: entry
        for name, entry in results["results"].items()
        if "mask_passes,none" in entry and not (name in groups and tasks_of_group(results, name))
    }
    if not tasks:
        return
    yield MEANING
    choices = {name: entry for name, entry in tasks.items() if "mask_undecided,none" in entry}
    lines = []
    if choices:
        questions = sum(entry["sample_len"] for entry in choices.values())  # failed ones are not among them
        undecided = {name: entry["mask_undecided,none"] for name, entry in choices.items()}
        passes, shares = zip(
            *((entry["mask_passes,none"], entry["mask_passes_of_128,none"]) for entry in choices.values()), strict=True
        )
        fixed = sum(spent / share for spent, share in zip(passes, shares, strict=True) if share)
        lines += [f"Undecided: {_counted(undecided)} of {questions:,} questions."]
        lines += [f"Passes: {sum(passes):,}, {_percent(sum(passes) / fixed if fixed else 0.0)} of 128 for each choice."]
    rolling = sum(entry["mask_passes,none"] for name, entry in tasks.items() if name not in choices)
    if rolling:
        lines.append(f"Passes for perplexities and other likelihoods: {rolling:,}.")
    failed = {name: entry["mask_failed,none"] for name, entry in tasks.items()}
    if any(failed.values()):
        lines.append(f"Failed, and left out: {_counted(failed)}.")
    imprecise = {name: entry.get("mask_imprecise,none", 0) for name, entry in tasks.items()}
    if any(imprecise.values()):
        lines.append(f"Estimates that miss the precision: {_counted(imprecise)}.")
    yield " ".join(lines)
    for key, caution in CAUTIONS.items():
        held = [name for name, entry in tasks.items() if key in entry.get("mask_cautions,none", ())]
        if held and (caution.verdict == "do not use" or key == NO_ERROR):
            yield f"Caution ({key}), in {', '.join(held)}: {caution.sentence}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def _counted(counts: Mapping[str, int]) -> str:
    """Return the total and the tasks that have most of it."""
    total, ranked = sum(counts.values()), sorted(counts, key=lambda name: -counts[name])
    named = [f"{counts[name]:,} in {name}" for name in ranked[:MOST_NAMED] if counts[name]]
    if not named or len(counts) == 1:
        return f"{total:,}"
    return named[0] if len(named) == 1 else f"{total:,} ({', '.join(named)})"
