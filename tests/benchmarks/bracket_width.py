"""How wide brackets are, with proposed and with uniformly random orders: ``python -m tests.benchmarks.bracket_width``.

Writes ``reports/brackets.md``. Both kinds of orders have the same passes and the same bounds.
"""

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import infodis_stats as ids
from estimators import Job, evaluate, make_targets
from estimators.masked.orders.chains import chain_plan
from estimators.masked.orders.proposal import random_orders
from infodis_stats.analysis import LogMeanBounds, log_mean_bounds
from infodis_stats.io.tables import markdown_table
from tests.benchmarks.measure import ROOT

ORDERS = 128
LENGTHS = {8: 6, 12: 6, 16: 6, 32: 6, 64: 3}  # characters, and windows of each
SEEDS = 2
OPENING = """\
# Brackets of the order-marginal likelihood

`make brackets` measures this table: windows of *Persuasion* after a prompt of about 45 characters, under the bundled
`austen` model, {orders} orders per window and {seeds} seeds. A bracket is a 95 % confidence interval of `-log p(x)` of
generation in a random order, in nats.

"Plain" draws orders uniformly and spends all passes on them. "Proposed" is `ids.bracket_nll`: an eighth of the passes
estimates the any-order value and fits a surrogate, and orders are drawn in proportion to what it predicts. Both have
the same bounds (`infodis_stats.analysis.log_mean_bounds`). Widths are medians; the ratio is the geometric mean of the
ratios of paired widths. "Markov width" is that of the plain bracket with its upper end from Markov's inequality and its
lower end 1.96 standard errors below the tangent bound.

Where orders spread too far, `bracket_nll` withholds the lower end. Plain brackets are shown all the same, although most
of their lower ends cannot be trusted: "plain spread" is the standard deviation of the log-likelihood of one order,
"proposed spread" that of a log importance weight.

At 8 characters all masks fit into {orders} orders, so that `bracket_nll` would be exact; {few} orders are drawn there.
At 8 and 12 characters the exact value is known: the last column counts the proposed brackets that contain it.

"""
FEW, EXACT = 31, 12


def rows() -> Iterator[dict[str, object]]:
    """Yield one row per length."""
    model = ids.load_model("austen")
    for length, windows in LENGTHS.items():
        orders = FEW if length == 8 else ORDERS
        targets, given = _targets(model, length, windows)
        plain = [
            _plain(model, row, context, orders, seed)
            for seed in range(SEEDS)
            for row, context in zip(targets, given, strict=True)
        ]
        found = [ids.bracket_nll(model, targets, orders=orders, context=given, seed=seed) for seed in range(SEEDS)]
        lower, upper = np.concatenate([result["bracket"].values for result in found]).T
        widths, plain_widths = upper - lower, np.array([bounds.upper - bounds.lower for bounds in plain])
        settled = np.concatenate([result["marginal_lower"].notnull().values for result in found])
        covered = ""
        if length <= EXACT:
            exact = _exact(model, targets, given)
            covered = f"{int(((lower <= exact) & (exact <= upper))[settled].sum())} of {int(settled.sum())}"
        ratio = np.exp(np.log(widths / plain_widths)[settled].mean()) if settled.any() else np.nan
        gap = np.mean([(result["nll"] - result["marginal_upper"]).mean() for result in found])
        proposed = np.concatenate([result["log_weight_sd"].values for result in found])
        numbers = {
            "any-order minus order-marginal": gap,
            "plain spread": np.median([bounds.spread for bounds in plain]),
            "proposed spread": np.median(proposed),
            "Markov width": np.median([_markov_width(bounds) for bounds in plain]),
            "plain width": np.median(plain_widths),
            "proposed width": np.median(widths[settled]) if settled.any() else np.nan,
            "proposed / plain": ratio,
        }
        yield (
            {"characters": length, "passes": orders * length, "brackets": len(widths)}
            | {name: f"{number:.2f}" if np.isfinite(number) else "" for name, number in numbers.items()}
            | {"withheld": int((~settled).sum()), "contain the exact value": covered}
        )


def _targets(
    model: ids.TextModel, length: int, windows: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.bool_]]]:
    source = 16 if length == 12 else length
    lines = (ROOT / f"reports/texts/windows_{source}.jsonl").read_text().splitlines()[:windows]
    rows, given = [], []
    for record in map(json.loads, lines):
        response = model.encode(record["response"])[:length]
        tokens = np.concatenate([model.encode(record["prompt"]), response])[-model.longest :]
        rows.append(tokens)
        given.append(np.arange(len(tokens)) < len(tokens) - length)
    return rows, given


def _plain(
    model: ids.TextModel, tokens: NDArray[np.int64], given: NDArray[np.bool_], orders: int, seed: int
) -> LogMeanBounds:
    (target,) = make_targets([tokens], [given])
    ranks = random_orders(target.length, orders, np.random.default_rng(seed)).ranks
    (evaluation,) = evaluate(model, [Job(target, chain_plan([ranks]))])
    return log_mean_bounds([-(evaluation.plan.weights * evaluation.losses).sum(axis=(1, 2))])


def _markov_width(bounds: LogMeanBounds) -> float:
    return bounds.tangent + 1.96 * bounds.tangent_se - bounds.importance + np.log(40.0)


def _exact(
    model: ids.TextModel, targets: list[NDArray[np.int64]], given: list[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    result = ids.bracket_nll(model, targets, orders=400, context=given)
    assert result["all_orders"].all()
    return np.tile(result["marginal_upper"].values, SEEDS)


def main() -> None:
    torch.set_num_threads(1)
    table = []
    for row in rows():
        table.append(row)
        print(row, flush=True)
    opening = OPENING.format(orders=ORDERS, seeds=SEEDS, few=FEW)
    frame = pd.DataFrame(table)
    (ROOT / "reports/brackets.md").write_text(opening + markdown_table(frame) + "\n")


if __name__ == "__main__":
    main()
