"""How one public thread came to two numbers for one model, and the same constructions on the models of a study."""

from collections.abc import Iterator

import pandas as pd
import xarray as xr

from infodis_stats.plots.numbers import significant
from infodis_stats.report.document import Heading, Note, Points, Section, Table
from infodis_stats.studies.likelihoods.report.answer import ran, signed_percent
from infodis_stats.studies.view import Study

__all__ = ["thread_sections", "thread_table"]

DISCRETE, LOSS = "published-discrete-elbo", "published-parameter-golf-loss"
THREAD = {64: "1.1571", 128: "1.1508", 256: "1.1482", 512: "1.1465"}
"""Bits per byte of the thread's model by the steps of the discrete ELBO."""
ASSUMED_BYTES = 4.3
TRUE_BYTES = 2.44
"""Bytes per token: a loss of 2.0727 nats per token is 1.2244 bits per byte in the baseline of the same contest."""


def thread_sections(study: Study) -> Iterator[Section]:
    """Yield the section on the thread, if the study ran its estimators."""
    summary = study.summary
    names = set(summary["published_name"].values.tolist())
    if not {DISCRETE, LOSS} <= names:
        return
    factors = [_factor(ran(summary, name), LOSS) for name in summary["subject"].values.tolist()]
    known = [factor for factor in factors if factor is not None]
    span = " to ".join(dict.fromkeys(significant(end, 2) for end in (min(known), max(known))))
    steps = [_factor(ran(summary, name), DISCRETE, 64) for name in summary["subject"].values.tolist()]
    largest = max(abs(step - 1) for step in steps if step is not None)
    yield Heading("One model at 2.41 and at 1.15 bits per byte")
    yield Note(
        "A public thread (pull requests 1100 and 1106 of openai/parameter-golf, March 2026) reports 2.41 bits per "
        "byte by a “Monte-Carlo ELBO” and 1.15 by a “discrete ELBO” for the same masked diffusion model. Both names "
        "stand for the any-order value, and of one model the two cannot differ by more than noise and a small step "
        "bias. The script of the discrete ELBO is public. That of the Monte-Carlo evaluation is not: the public "
        "script prints 2.41 as a constant, as the result of an earlier version. Three choices can be read from it. "
        "This is what each of them does to the models of this page:"
    )
    yield Points(
        [
            (
                "Bytes per token",
                f"The script divides bits per token by {ASSUMED_BYTES} bytes per token, an assumed constant. The "
                "autoregressive baseline of the contest, on the same tokens, has 2.0727 nats per token and 1.2244 bits "
                f"per byte, which makes {TRUE_BYTES} bytes per token. With these, 1.15 becomes "
                f"{significant(1.1465 * ASSUMED_BYTES / TRUE_BYTES)}, which is above that baseline and not below it. A "
                "wrong byte count changes every number by the same factor, whatever the estimator; numbers with "
                "different byte counts cannot be compared.",
            ),
            (
                "Weight of a draw",
                "The ELBO divides the losses of a draw by the share of masked tokens. The Monte-Carlo loss in the "
                "script, with which the model is trained, divides by the share of visible ones. Its mean is "
                f"{span} times the any-order value here, if that share is at least 0.1, which the thread recommends. "
                "It is not an ELBO. The two numbers of the thread differ by a factor of 2.1.",
            ),
            (
                "Number of steps",
                "The discrete ELBO replaces the integral over masking rates by a sum over right ends, so it is too "
                f"high by about a constant over the number of steps: {significant(100 * largest, 1)} % at most with "
                "64 steps here. The four numbers of the thread follow this law and lead to 1.145 for infinitely many "
                "steps: it explains 1 % of them.",
            ),
        ]
    )
    yield Table(thread_table(study), headline="Two numbers of one model, by construction")
    yield Note(
        "Bits per byte; in brackets the difference from the any-order value. The thread adds 0.001 log V nats per "
        "token to the discrete ELBO (V: size of the vocabulary), at most 0.01 bits per token, which is not in the "
        "table. What is certain is the byte count and the steps. Whether the evaluation that gave 2.41 had the "
        "weights of the script, or a byte count of its own, cannot be decided from what is public; either is enough "
        "to make two numbers of one model differ by more than models do."
    )


def thread_table(study: Study) -> pd.DataFrame:
    """Return the constructions of the thread, one row each, in bits per byte under each subject."""
    summary = study.summary
    parts = {name: ran(summary, name) for name in summary["subject"].values.tolist()}
    parts = {name: part for name, part in parts.items() if _factor(part, LOSS) is not None}
    per_byte = {name: _bytes(part) for name, part in parts.items()}
    rows = [
        {"construction": "any-order value"}
        | {name: significant(_any_order(part), 4) for name, part in parts.items()}
        | {"the thread's model": "1.145 (extrapolated)"}
    ]
    for steps, reported in THREAD.items():
        cells = {name: _cell(part, _factor(part, DISCRETE, steps)) for name, part in parts.items()}
        rows.append({"construction": f"discrete ELBO, {steps} steps"} | cells | {"the thread's model": reported})
    cells = {name: _cell(part, _factor(part, LOSS)) for name, part in parts.items()}
    rows.append(
        {"construction": "Monte Carlo, weighted by visible tokens"} | cells | {"the thread's model": "2.41 (presumed)"}
    )
    cells = {
        name: _cell(part, per_byte[name] / ASSUMED_BYTES) if per_byte[name] > 1.5 else "–"
        for name, part in parts.items()
    }
    reported = f"{significant(1.145 * ASSUMED_BYTES / TRUE_BYTES)} with {TRUE_BYTES} bytes"
    rows.append(
        {"construction": f"any-order value, {ASSUMED_BYTES} bytes per token assumed"}
        | cells
        | {"the thread's model": "1.145"}
    )
    own = {name: f"{significant(each)} bytes" for name, each in per_byte.items()}
    rows.append({"construction": "true bytes per token"} | own | {"the thread's model": reported})
    return pd.DataFrame(rows)


def _any_order(part: xr.Dataset) -> float:
    return float(part["bits_per_byte"].sel(estimand="any-order"))


def _bytes(part: xr.Dataset) -> float:
    any_order = part.sel(estimand="any-order")
    return float(any_order["bits"] / any_order["bits_per_byte"])


def _factor(part: xr.Dataset, name: str, passes: int | None = None) -> float | None:
    """Return the mean of an estimator over the any-order value; None if it was not run."""
    found = (part["published_name"] == name) & ((part["published_passes"] == passes) | (passes is None))
    return 1 + float(part["bias"].values[found.values][0]) if bool(found.any()) else None


def _cell(part: xr.Dataset, factor: float | None) -> str:
    return "–" if factor is None else f"{significant(_any_order(part) * factor, 4)} ({signed_percent(factor - 1)})"
