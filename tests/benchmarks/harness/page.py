"""The page `reports/harness.md` and its figures, from the runs that are kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from infodis_stats.io.files import atomic_path
from infodis_stats.io.tables import markdown_table
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import STYLE
from infodis_stats.report.svg import to_svg
from tests.benchmarks.harness.fullness import Fullness
from tests.benchmarks.harness.runs import (
    DREAM,
    FIXED,
    LLADA,
    MODEL,
    OTHER_BATCHES,
    QUESTIONS,
    RACES,
    REFERENCE,
    REFERENCE_PASSES,
    SETTINGS,
    Run,
    Setting,
)
from tests.benchmarks.harness.seeds import (
    KNOWN,
    Measured,
    Seeds,
    Share,
    mean_over_questions,
    passes_at,
    reference_of,
    resampled_passes_at,
    settled_right,
    spread,
    wrong_rates,
)

LONG = (("austen_endings", "acc"), ("austen_endings", "acc_norm"), ("austen_pairs", "acc"))
LETTERS = ("austen_letters", "acc")
ASKED_SHARE, ASKED_RATIO = 0.99, 5.0
PUBLISHED = [*LLADA, *OTHER_BATCHES[:1], *DREAM, *OTHER_BATCHES[1:]]
BASELINE = LLADA[-1]
STRICT = RACES[0]
SERIES = {"LLaDA, batches of 32": LLADA, "Dream, batches of 32": DREAM, "auto, fixed passes": FIXED, "races": RACES}
ASIDE = dict(zip(SERIES, (0.8, 1.0, 1.25, 1.0), strict=True))
COLOURS = dict(zip(SERIES, ("#777777", "#c2571a", "#2b6cb0", "#2f855a"), strict=True))


@dataclass(frozen=True, eq=False)
class Cell:
    """A setting on a task, by a score."""

    setting: Setting
    seeds: Seeds
    passes: float  # for each choice
    accuracy: float
    shift: float  # of the accuracy, from the reference
    spread: Measured
    rates: NDArray[np.float64]  # of wrong winners, by question
    settled: Share
    flips: float  # from the answers that the reference gets right

    @property
    def wrong(self) -> Measured:
        return mean_over_questions(self.rates)


Cells = Mapping[tuple[str, str, str], Cell]


def write_page(runs: Mapping[str, Sequence[Run]], calls: Sequence[Fullness], out: Path) -> Path:
    """Write the page and its figures from the runs of each setting."""
    cells = _cells(runs)
    figures = out / "harness"
    figures.mkdir(parents=True, exist_ok=True)
    for name, figure in (
        ("wrong", _wrong_figure(cells)),
        ("seeds", _seeds_figure(cells, runs[REFERENCE.key][0])),
    ):
        with atomic_path(figures / f"{name}.svg") as beside:
            beside.write_text(figure, encoding="utf-8")
    path = out / "harness.md"
    with atomic_path(path) as beside:
        beside.write_text("\n".join(_page(runs, cells, calls)) + "\n", encoding="utf-8")
    return path


def _cells(runs: Mapping[str, Sequence[Run]]) -> Cells:
    (reference,) = runs[REFERENCE.key]
    cells = {}
    for setting in SETTINGS:
        own = runs.get(setting.key, ())
        if setting is REFERENCE or len(own) < 2:
            continue
        for task, score in (*LONG, LETTERS):
            seeds = Seeds.of(own, task, score)
            winner, known, right = reference_of(reference, task, score)
            cells[setting.key, task, score] = Cell(
                setting,
                seeds,
                float(seeds.passes.mean()) if setting.passes is None else setting.passes,
                float(seeds.accuracy.mean()),
                float(seeds.accuracy.mean() - right.mean()),
                spread(seeds.right),
                wrong_rates(seeds.leader, winner, known),
                settled_right(seeds, winner, known),
                float((seeds.right != right).sum(axis=1).mean()),
            )
    return cells


def _of(cells: Cells, settings: Sequence[Setting], task: str, score: str) -> list[Cell]:
    return [cells[key] for setting in settings if (key := (setting.key, task, score)) in cells]


# -- text


def _page(runs: Mapping[str, Sequence[Run]], cells: Cells, calls: Sequence[Fullness]) -> Iterator[str]:
    yield "# Accuracies in the harness: seeds and passes\n"
    yield (
        f"How much do accuracies vary with the seed of the masks, and what do races cost? `make harness` writes this "
        f"page, with the model `{MODEL}` (subwords) in lm-evaluation-harness on the first {QUESTIONS} questions "
        "of three local tasks ([tasks](tasks/README.md)): endings of sentences (four choices), pairs of sentences, and "
        "letters A to D (one token each). Runs are kept in `out/harness`, and only missing ones are repeated.\n"
    )
    yield "## Answer\n"
    yield "Over the three accuracies of the tasks with longer answers (terms are explained below):\n"
    yield from _answer(cells)
    yield "\n## Aims\n"
    yield from _aims(runs, cells, calls)
    yield "\n## How the copies count\n"
    yield COPIES
    yield "\n## Accuracy over seeds\n"
    yield READING.format(passes=f"{REFERENCE_PASSES:,}", known=f"{KNOWN:g}")
    for task, score in LONG:
        (reference,) = runs[REFERENCE.key]
        _, known, right = reference_of(reference, task, score)
        yield f"\n### {task}, {score}\n"
        yield (
            f"The reference answers {_percent(right.mean())} right; its own winner is open in {int((~known).sum())} of "
            f"{len(known)} questions.\n"
        )
        yield _seeds_table(_of(cells, [*PUBLISHED, *FIXED, *RACES], task, score))
    yield "\n![accuracy of each seed](harness/seeds.svg)\n"
    yield "Accuracies of single seeds; dashed: the reference."
    yield "\n## What races claim\n"
    yield CLAIMS
    yield _claims_table(cells)
    yield "\n## Passes at the same rate of wrong winners\n"
    yield (
        f"The passes for each choice at which `auto` has as few wrong winners as LLaDA's counting with "
        f"{BASELINE.passes} passes in batches of 32: interpolated between the measured numbers of passes, on a "
        "logarithmic scale, with the 95 % interval of the bootstrap over questions. Fewer than "
        f"{FIXED[0].passes} passes were not measured.\n"
    )
    yield _passes_table(cells)
    yield "\n![wrong winners](harness/wrong.svg)\n"
    yield "\n## One-token answers\n"
    yield (
        "An answer of one token has one mask, so one pass gives its exact likelihood. LLaDA's count is always 1 there: "
        "exact, with the same row in every pass. Dream draws a masking rate for it: the token is masked in some passes "
        "only, and its loss is divided by the rate.\n"
    )
    yield _seeds_table(_of(cells, [*PUBLISHED, *RACES], *LETTERS))
    yield "\n## Fullness of batches\n"
    yield (
        "Calls of the model, with the same limit on the rows of a call. LLaDA's copy fills a call with rows of one "
        f"text, of which those with equal masks are run again and again. Races ({STRICT.words}) share calls among the "
        "questions; the end of a round leaves a call that is not full.\n"
    )
    yield _calls_table(runs, calls)
    yield "\n## Not measured\n"
    yield LIMITS


COPIES = """\
The published ways to count are rebuilt from what the code of the copies does:

- *LLaDA*: `published-llada` in batches of 32, the default of its copy. dllm's copy for LLaDA counts alike, with the
  same defaults (128 passes in batches of 32). A batch has one common offset, so the number depends on the batch size.
  The command line of the harness passes a batch size of 1 unless told otherwise: all passes are then independent.
- *Dream*: `published-dream` in batches of 32, and of 1, the default of dllm's copy for Dream.

As in the copies, each choice has masks of its own. With fewer passes than 32 there is one batch of all passes. What the
copies have beyond that is left out: losses in bfloat16, Dream's end-of-text token, which is never masked, and guidance.
"""
READING = """\
*Spread* is the standard deviation of the accuracy over seeds, from the variance of each question over seeds (masks of
different questions are independent). *Over questions* is the standard error that the harness prints; it says nothing
about the seed. A winner is *wrong* if it is not that of an independent run with {passes} passes of `auto` (exact where
all masks fit into them); questions whose winner is open there, with a p-value above {known}, are left out. The number
after ± is a standard error: of the spread over seeds, of wrong winners over questions. Passes are per choice."""
CLAIMS = """\
*Settled and right*: settled winners that are those of the reference, with Wilson's interval at 95 % (seeds of one
question are counted as independent). *Stated* is the root mean square of the mask standard errors that single seeds
state (`acc_mask_stderr`), beside the *spread* over seeds. *Flips* are questions that are right by the seed and wrong by
the reference or the reverse: expected by single seeds (`acc_mask_flips`), and observed, in the mean over seeds.
"""
LIMITS = """\
- Published checkpoints: none was at hand. Spread and wrong winners depend on how close the choices of a task are, on
  their lengths and on the model.
- Tasks of the harness' own: they need downloads.
- The noise of losses in bfloat16.
"""


def _aims(runs: Mapping[str, Sequence[Run]], cells: Cells, calls: Sequence[Fullness]) -> Iterator[str]:
    rows = []
    share = _pooled([cells[STRICT.key, task, score].settled for task, score in LONG])
    rows.append(
        (
            f"settled winners agree with the reference in at least {100 * ASKED_SHARE:g} %, {STRICT.words}",
            _share(share),
            share.value >= ASKED_SHARE,
        )
    )
    for task, score in LONG:
        passes, (lower, upper) = _same_rate(cells, task, score)
        ratio = BASELINE.options["passes"] / passes
        rows.append(
            (
                f"{ASKED_RATIO:g} times fewer passes than 128 at the same rate of wrong winners: {task}, {score}",
                f"{_at_least(passes)}{ratio:.1f} times: {passes:.1f} passes [{lower:.1f}, {upper:.1f}]",
                ratio >= ASKED_RATIO,
            )
        )
    for theirs, ours in zip(calls[::2], calls[1::2], strict=True):
        if theirs.largest == 32:
            task = ours.words.removesuffix(": races")
            rows.append(
                (
                    f"batches at least as full as LLaDA's: {task}, at most 32 rows",
                    f"{ours.rows:.1f} rows; LLaDA's {theirs.rows:g}, {_distinct_rows(runs, theirs)} of them distinct",
                    ours.rows >= theirs.rows,
                )
            )
    one = cells[STRICT.key, *LETTERS].passes
    rows.append(("a one-token answer costs one pass", f"{one:g}", one == 1.0))
    frame = pd.DataFrame(
        [(aim, value, "reached" if reached else "missed") for aim, value, reached in rows],
        columns=["aim", "measured", ""],
    )
    yield markdown_table(frame, ["left", "right", "left"])
    races = [cell for task, score in LONG for cell in _of(cells, [STRICT], task, score)]
    saved = [BASELINE.options["passes"] / cell.passes / 100 for cell in races]
    yield (
        f"\nRaces aim at fewer errors than that: with {STRICT.words.removeprefix('race, ')} they take {_range(saved)} "
        f"times fewer passes than 128, and {_range([cell.wrong.value for cell in races])} % of the winners are wrong."
    )


def _answer(cells: Cells) -> Iterator[str]:
    for setting in (LLADA[-1], OTHER_BATCHES[0], DREAM[-1], OTHER_BATCHES[1], LLADA[0], DREAM[0], *RACES[::-1]):
        own = [cell for task, score in LONG for cell in _of(cells, [setting], task, score)]
        if own:
            yield (
                f"- {setting.words}{'' if setting.passes is None else f', {_count(setting.passes)}'}: "
                f"spread {_range([cell.spread.value for cell in own])} points, mean accuracy "
                f"{_range([cell.shift for cell in own], '+')} points from the reference, "
                f"wrong winners {_range([cell.wrong.value for cell in own])} %"
                + (f", {_range([cell.passes / 100 for cell in own])} passes" if setting.passes is None else "")
                + "."
            )
    printed = [float(cell.seeds.stderr.mean()) for task, score in LONG for cell in _of(cells, [BASELINE], task, score)]
    yield (
        "\nNoise does not only move accuracies. Wrong winners are random, so it draws accuracies towards guesses. "
        "The copies draw other masks for each choice, so the noise of both choices is in their difference."
    )
    yield (
        f"\nThe standard error that the harness prints is {_range(printed)} points. It is about other questions. Two "
        "models, or two versions of one, are compared on the same questions, and there the spread over seeds counts in "
        "full: their difference varies by 1.4 times as much from the masks alone."
    )


def _range(values: Sequence[float], sign: str = "") -> str:
    low, high = (f"{100 * value:{sign}.1f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _seeds_table(cells: Sequence[Cell]) -> str:
    rows = [
        {
            "counting": cell.setting.words,
            "passes": _number(cell.passes),
            "seeds": str(len(cell.seeds.right)),
            "accuracy, %": f"{100 * cell.accuracy:.1f}",
            "least and most, %": f"{100 * cell.seeds.accuracy.min():.1f} to {100 * cell.seeds.accuracy.max():.1f}",
            "spread, points": _points(cell.spread),
            "over questions, points": f"{100 * cell.seeds.stderr.mean():.1f}",
            "wrong winners, %": _points(cell.wrong),
        }
        for cell in cells
    ]
    return markdown_table(pd.DataFrame(rows), ["left", *["right"] * 7])


def _claims_table(cells: Cells) -> str:
    rows = []
    for task, score in (*LONG, LETTERS):
        for cell in _of(cells, [*RACES, *FIXED[-2:]], task, score):
            stated = float(np.sqrt((cell.seeds.mask_stderr**2).mean()))
            rows.append(
                {
                    "task": f"{task}, {score}",
                    "budget": _budget(cell.setting),
                    "passes": _number(cell.passes),
                    "undecided": f"{(~cell.seeds.settled).sum(axis=1).mean():.1f}",
                    "settled and right": _share(cell.settled),
                    "stated, points": f"{100 * stated:.2f}",
                    "spread, points": _points(cell.spread, 2),
                    "flips expected": f"{cell.seeds.flips.mean():.2f}",
                    "observed": f"{cell.flips:.2f}",
                }
            )
    return markdown_table(pd.DataFrame(rows), ["left", "left", *["right"] * 7])


def _passes_table(cells: Cells) -> str:
    rows = []
    for task, score in LONG:
        baseline, (passes, (lower, upper)) = cells[BASELINE.key, task, score], _same_rate(cells, task, score)
        rows += [
            {
                "task": f"{task}, {score}",
                "wrong winners of LLaDA at 128, %": _points(baseline.wrong),
                "passes of auto": f"{passes:.1f} [{lower:.1f}, {upper:.1f}]",
                "times fewer": f"{_at_least(passes)}{baseline.passes / passes:.1f}",
                "race": f"error={cell.setting.options['error']:g}",
                "its passes": _number(cell.passes),
                "its times fewer": f"{baseline.passes / cell.passes:.1f}",
                "its wrong winners, %": _points(cell.wrong),
            }
            for cell in _of(cells, RACES, task, score)
        ]
    return markdown_table(pd.DataFrame(rows), ["left", *["right"] * 7])


def _distinct(runs: Mapping[str, Sequence[Run]], task: str) -> float:
    """Return the share of distinct rows in a batch of 32 of LLaDA's counting."""
    batch = next(setting for setting in LLADA if setting.passes == 32)
    data = [run.tasks[task] for run in runs[batch.key]]
    return float(np.mean([float(each["forward_passes"].sum() / each["choices"].sum()) / 32 for each in data]))


def _calls_table(runs: Mapping[str, Sequence[Run]], calls: Sequence[Fullness]) -> str:
    rows = [
        {
            "calls": each.words,
            "at most, rows": str(each.largest),
            "rows": f"{each.rows:.1f}",
            "distinct rows": _distinct_rows(runs, each),
            "tokens": f"{each.tokens:,.0f}",
            "padding": _percent(each.padding),
        }
        for each in calls
    ]
    return markdown_table(pd.DataFrame(rows), ["left", *["right"] * 5])


def _distinct_rows(runs: Mapping[str, Sequence[Run]], calls: Fullness) -> str:
    task, _, who = calls.words.partition(": ")
    if who == "races":
        return f"{calls.rows:.1f}"
    return f"{calls.rows * _distinct(runs, task):.1f}" if calls.largest == 32 else ""


def _same_rate(cells: Cells, task: str, score: str) -> tuple[float, tuple[float, float]]:
    fixed, baseline = _of(cells, FIXED, task, score), cells[BASELINE.key, task, score]
    passes = [cell.passes for cell in fixed]
    found = passes_at(baseline.wrong.value, passes, [cell.wrong.value for cell in fixed])
    return found, resampled_passes_at(baseline.rates, passes, [cell.rates for cell in fixed])


def _at_least(passes: float) -> str:
    return "at least " if passes == FIXED[0].passes else ""


def _pooled(shares: Sequence[Share]) -> Share:
    return Share(sum(share.hits for share in shares), sum(share.cases for share in shares))


def _points(measured: Measured, digits: int = 1) -> str:
    return f"{100 * measured.value:.{digits}f} ± {100 * measured.error:.{digits}f}"


def _share(share: Share) -> str:
    lower, upper = share.interval
    return f"{share.hits:,} of {share.cases:,}: {_percent(share.value)} [{_percent(lower)}, {_percent(upper)}]"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _budget(setting: Setting) -> str:
    return setting.words if setting.passes is None else f"{setting.passes} passes"


def _count(passes: float) -> str:
    return f"{passes:g} pass{'' if passes == 1 else 'es'}"


def _number(value: float) -> str:
    return f"{value:g}" if value == round(value) else f"{value:.1f}"


# -- figures


def _wrong_figure(cells: Cells) -> str:
    def draw(axis: mpl.axes.Axes, name: str, own: Sequence[Cell]) -> None:
        axis.errorbar(
            [cell.passes for cell in own],
            [100 * cell.wrong.value for cell in own],
            [100 * cell.wrong.error for cell in own],
            fmt="o" if name == "races" else "o-",
            color=COLOURS[name],
            label=name,
            markersize=4,
            elinewidth=0.8,
        )

    return _drawn(cells, draw, "wrong", "wrong winners, %")


def _seeds_figure(cells: Cells, reference: Run) -> str:
    references = [100 * float(reference_of(reference, task, score)[2].mean()) for task, score in LONG]
    rng = np.random.default_rng(0)

    def draw(axis: mpl.axes.Axes, name: str, own: Sequence[Cell]) -> None:
        for number, cell in enumerate(own):
            accuracy = cell.seeds.accuracy
            aside: NDArray[np.float64] = cell.passes * ASIDE[name] * np.exp(rng.uniform(-0.06, 0.06, len(accuracy)))
            label = name if number == 0 else None
            axis.plot(aside, 100 * accuracy, "o", color=COLOURS[name], markersize=3, alpha=0.6, label=label)

    return _drawn(cells, draw, "seeds", "accuracy of a seed, %", references)


def _drawn(
    cells: Cells,
    draw: Callable[[mpl.axes.Axes, str, Sequence[Cell]], None],
    name: str,
    unit: str,
    lines: Sequence[float] = (),
) -> str:
    ticks = [1, 4, 16, 32, 128]
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(LONG), 3.2)
        for axis, (task, score) in zip(axes, LONG, strict=True):
            for series, settings in SERIES.items():
                draw(axis, series, _of(cells, settings, task, score))
            axis.set_xscale("log", base=2)
            axis.set_xticks(ticks, [str(tick) for tick in ticks])
            axis.set_title(f"{task}, {score}", parse_math=False)
        for axis, height in zip(axes, lines, strict=False):
            axis.axhline(height, color="#777777", linestyle="--", linewidth=0.8)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(SERIES))
        figure.supxlabel("passes per choice")
        figure.supylabel(unit)
        return to_svg(figure, name)
