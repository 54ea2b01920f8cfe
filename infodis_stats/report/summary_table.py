"""The table of a result: estimates with intervals, to as many digits as the error allows."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from markupsafe import Markup
from numpy.typing import NDArray

from infodis_stats import inference
from infodis_stats.diagnostics.verdict import concise
from infodis_stats.io.tables import markdown_table, printable, terminal_table
from infodis_stats.notebook import paragraphs, table
from infodis_stats.plots.numbers import percent, significant
from infodis_stats.results.estimands import estimand_notes
from infodis_stats.results.labels import with_estimates
from infodis_stats.results.quantity import quantity_of
from infodis_stats.results.validity import NO_CLAIM, caution_sentences

__all__ = ["Summary", "made_by", "summary"]

FloatArray = NDArray[np.float64]

NEGLIGIBLE = 1e-9  # relative: replicates that differ by rounding are equal

AVERAGES = {
    "nll": "nats per document",
    "nll_per_token": "nats per token",
    "bits_per_token": "bits per token",
    "bits_per_byte": "bits per byte",
    "bits_per_word": "bits per word",
    "bits_per_token_macro": "bits per token, mean over documents",
    "bits_per_byte_macro": "bits per byte, mean over documents",
    "perplexity": "perplexity",
    **{
        f"marginal_{side}{name}": f"{words}, order-marginal, {side} bound"
        for name, words in (
            ("", "nats per document"),
            ("_bits_per_token", "bits per token"),
            ("_bits_per_byte", "bits per byte"),
            ("_perplexity", "perplexity"),
        )
        for side in ("lower", "upper")
    },
    "log_ratio": "log ratio per pair, nats",
    "win_rate": "win-rate of the first",
}

UNITS = {"token": "length", "byte": "bytes", "word": "words"}
"""Units of a text, with the variable that counts them."""

ENDINGS = {"token": "token", "forward_passes": "passes run"}
HEADINGS = {
    "correlation": "correlation",
    "coupling_gain": "coupling gain",
    "exact": "exact",
    "replicates": "replicates",
    "reached": "reached",
}


@dataclass(frozen=True, eq=False)
class Summary:
    """The table of `estimate_nll` and other estimates; prints as text.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per sequence or pair, in full precision.
    decimals : mapping of str to array of int
        Decimals of each cell: errors have two digits, and estimates as many decimals as their errors.
    notes : tuple of str
        Provenance and cautions.
    unprinted : frozenset of str, default empty
        Columns of ``frame`` that only `to_dataframe` returns.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> table = ids.summary(ids.estimate_nll(law, law.sample(2, length=12, seed=1)))
    >>> list(table.to_dataframe().columns)
    ['sequence', 'nll', 'se', 'lower', 'upper', 'exact', 'passes run']
    """

    frame: pd.DataFrame
    decimals: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...]
    unprinted: frozenset[str] = frozenset()

    def to_dataframe(self) -> pd.DataFrame:
        """Return the numbers in full precision."""
        return self.frame

    def to_markdown(self) -> str:
        """Return the rounded table as Markdown."""
        return markdown_table(self._rounded(), self._alignment())

    def to_latex(self) -> str:
        """Return the rounded table as LaTeX (booktabs)."""
        sides = "".join(side[0] for side in self._alignment())
        return self._rounded().map(printable).to_latex(index=False, escape=True, column_format=sides)

    def __repr__(self) -> str:
        """Return the size of the table."""
        count = len(self.frame)
        return f"<Summary of {count} row{'s' if count != 1 else ''}: {', '.join(self._printed())}>"

    def _repr_html_(self) -> Markup:
        left = [side == "left" for side in self._alignment()]
        rows = self._rounded().itertuples(index=False, name=None)
        return table(self._printed(), rows, left=left) + paragraphs(self.notes)

    def __str__(self) -> str:
        """Return the table and the notes."""
        return "\n".join([terminal_table(self._rounded(), self._alignment()), "", *self.notes])

    def _alignment(self) -> tuple[str, ...]:
        numeric = [pd.api.types.is_numeric_dtype(self.frame[name].dtype) for name in self._printed()]
        return tuple("right" if is_number else "left" for is_number in numeric)

    def _rounded(self) -> pd.DataFrame:
        return pd.DataFrame({name: self._texts(name) for name in self._printed()})

    def _printed(self) -> list[str]:
        return [name for name in self.frame.columns if name not in self.unprinted]

    def _texts(self, name: str) -> list[str]:
        values = self.frame[name].tolist()
        if name in self.decimals:
            return [_fixed(value, places) for value, places in zip(values, self.decimals[name].tolist(), strict=True)]
        return [significant(value) if isinstance(value, float) else str(value) for value in values]


def summary(result: xr.Dataset) -> Summary:
    """Tabulate estimates with their intervals.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate, or of `average`, `split_budget` or `compare`. A
        single item, such as ``result.isel(sequence=0)``, has one row.

    Returns
    -------
    Summary
        Prints as text; ``to_dataframe()``, ``to_markdown()``, ``to_latex()``. Errors are given to two digits, and
        estimates to the same decimal place. Pairs have a column ``likelier``, by `decide`: the side that is likelier,
        or "open"; the family-wise error over the table is one minus the confidence level. With ``anytime``
        intervals there is no such column, because a t test is not valid for them.

    Raises
    ------
    InputError
        If the data set is none of these.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(2, length=12, seed=1), "uniform-count", passes=8, replicates=4)
    >>> print(ids.summary(result).to_markdown())
    |   sequence |   nll |   se |   lower |   upper |   exact |   passes run |
    |-----------:|------:|-----:|--------:|--------:|--------:|-------------:|
    |          0 | 12.72 | 0.42 |   11.97 |   13.81 |   13.38 |           32 |
    |          1 | 12.98 | 0.45 |   12.11 |   13.96 |   13.90 |           33 |
    """
    if isinstance(result, xr.Dataset) and "of" in result.attrs and "ci_bound" in result.dims:
        return _average_table(result)
    if isinstance(result, xr.Dataset) and "expected_se" in result and "best" in result.attrs:
        return _split_table(result)
    if isinstance(result, xr.Dataset) and "standing" in result:
        return _comparison_table(result)
    name, result = quantity_of(result, "a summary")
    if "bracket" in result:
        return _bracket_table(result)
    unit = str(result[name].dims[0])
    lower, upper = (result[f"{name}_ci"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    error = result[f"{name}_se"].values
    agree = error <= NEGLIGIBLE * np.maximum(1.0, np.abs(result[name].values))
    columns: dict[str, object] = {
        unit: result[unit].values,
        name: result[name].values,
        "se": error,
        "lower": lower,
        "upper": upper,
    }
    places = _decimals(np.where(agree, 0.0, error))
    decimals = dict.fromkeys((name, "se", "lower", "upper", "exact"), places)
    withheld: tuple[str, ...] = ()
    if name == "log_ratio" and not (result["interval"] == "anytime").any():
        decided = inference.decide(with_estimates(result), 1 - result.attrs["ci_prob"], "family-wise")
        likelier = np.full(result[name].size, "", dtype=decided["likelier"].dtype)
        likelier[np.isfinite(result[name].values)] = decided["likelier"].values
        columns["likelier"] = likelier
        withheld = _withheld(decided)
    columns |= {heading: result[key].values for key, heading in HEADINGS.items() if key in result}
    unprinted: list[str] = []
    for unit, count in UNITS.items():
        if (quantity := f"bits_per_{unit}") in result:
            numbers = _per_unit(result, quantity, unit)
            columns |= numbers | {f"{unit}s": result[count].values}
            with np.errstate(divide="ignore", invalid="ignore"):  # a blank text has no words
                per_unit = _decimals(np.where(agree, 0.0, error) / result[count].values / math.log(2))
            decimals |= dict.fromkeys(numbers, per_unit)
            # The table would be too wide: the intervals of all units are proportional.
            unprinted += [] if unit == "token" else [*numbers, f"{unit}s"]
    columns |= {heading: result[key].values for key, heading in ENDINGS.items() if key in result}
    if "failed" in result and (result["failed"] != "").any():
        columns["failed"] = result["failed"].values
    frame = pd.DataFrame(columns)
    notes = (*made_by(result), *withheld, *_points(agree))
    return Summary(frame, decimals, notes, frozenset(unprinted) - {"bits per byte"})


def _withheld(decided: xr.Dataset) -> tuple[str, ...]:
    """Say which pairs are open although their difference is significant, and why."""
    held = decided.isel({decided["withheld"].dims[0]: decided["withheld"].values})
    names = held[held["withheld"].dims[0]].values.tolist()
    if not names:
        return ()
    keys = [key for key in NO_CLAIM if key in held["caution"] and held["cautions"].sel(caution=key).any()]
    reason = (
        f"a caution ({', '.join(keys)}) says that their intervals may miss without showing it"
        if keys
        else "in many pairs a single pass carries the spread, and others may have missed such passes"
    )
    return (f"Significant, but open without a claim: {concise(names)}; {reason}.",)


def _bracket_table(result: xr.Dataset) -> Summary:
    """Tabulate what `bracket_nll` returns: the any-order value, and bounds and bracket of the order-marginal one."""
    lower, upper = (result["bracket"].sel(ci_bound=bound).values for bound in ("lower", "upper"))
    columns = {
        "sequence": result["sequence"].values,
        "any-order nll": result["nll"].values,
        "se": result["nll_se"].values,
        "lower bound": result["marginal_lower"].values,
        "upper bound": result["marginal_upper"].values,
        "bracket from": lower,
        "to": upper,
        "orders": np.where(result["all_orders"].values, "all", result["orders"].values.astype(str)),
        "passes run": result["forward_passes"].values,
    }
    if "failed" in result and (result["failed"] != "").any():
        columns["failed"] = result["failed"].values
    decimals = dict.fromkeys(("any-order nll", "se"), _decimals(result["nll_se"].values))
    exact = result["all_orders"].values
    places = np.where(exact, 6, _decimals(result["marginal_upper_se"].values))
    decimals |= dict.fromkeys(("lower bound", "upper bound", "bracket from", "to"), places)
    attributes = result.attrs
    made = f"nats; passes of {attributes['orders']} orders, seed {attributes['seed']}; {_intervals(result)}"
    return Summary(pd.DataFrame(columns), decimals, (made, *made_by(result)[1:]))


def _per_unit(result: xr.Dataset, quantity: str, unit: str) -> dict[str, FloatArray]:
    """Return the columns of a quantity in bits per unit, with its interval."""
    prefix = "bits" if unit == "token" else f"bits per {unit}"
    ends = result[f"{quantity}_ci"]
    return {f"bits per {unit}": result[quantity].values} | {
        f"{prefix} {end}": ends.sel(ci_bound=end).values for end in ("lower", "upper")
    }


def _average_table(result: xr.Dataset) -> Summary:
    """Tabulate what `average` returns, one row per average."""
    names = [name for name in AVERAGES if name in result]
    error = np.array([float(result[f"{name}_se"]) if f"{name}_se" in result else np.nan for name in names])
    ends = np.array([result[f"{name}_ci"].values for name in names])
    estimate = np.array([float(result[name]) for name in names])
    frame = pd.DataFrame(
        {
            "average": [AVERAGES[name] for name in names],
            "estimate": estimate,
            "se": error,
            "lower": ends[:, 0],
            "upper": ends[:, 1],
        }
    )
    agree = error <= NEGLIGIBLE * np.maximum(1.0, np.abs(estimate))
    # A quantity without a standard error is a share.
    places = np.where(np.isnan(error), 3, _decimals(np.where(agree, 0.0, error)))
    attributes = result.attrs
    documents = f"{attributes['documents']} documents"
    for unit in ("tokens", "bytes", "words"):
        documents += f", {attributes[unit]} {unit}" if unit in attributes else ""
    notes = [
        f"For these {documents}: the error is that of the masks alone."
        if attributes["of"] == "these"
        else f"For the population that {documents} were drawn from: the error is that of the sample, masks included."
    ]
    if "mask_share" in result and math.isfinite(float(result["mask_share"])):
        share = percent(float(result["mask_share"]))
        notes.append(f"Of the variance between documents, {share} % is noise of the masks.")
    return Summary(frame, dict.fromkeys(("estimate", "se", "lower", "upper"), places), (*notes, *made_by(result)))


def _split_table(result: xr.Dataset) -> Summary:
    """Tabulate what `split_budget` returns, one row per split, with advice."""
    passes, error = result["document_passes"].values, result["expected_se"].values
    frame = pd.DataFrame(
        {"passes per document": passes, "documents": result["documents"].values, "expected se, nats": error}
    )
    attributes = result.attrs
    row = passes.tolist().index(attributes["best"])
    advice = (
        f"Of {attributes['budget']} passes, {attributes['best']} for each of {frame['documents'][row]} documents give "
        f"the smallest error, {significant(float(error[row]))} nats."
    )
    reasons = [
        f"Variance between documents {significant(attributes['between'])} nats^2, of one pass "
        f"{significant(attributes['within'])} nats^2; a document costs {attributes['document_cost']:g} passes."
    ]
    if attributes["within"] == 0:
        reasons.append("The masks add no error here; only more documents help.")
    else:
        reasons.append(
            "Assumption: the variance of the masks is inversely proportional to the passes. It was measured at "
            f"{attributes['pilot_passes']:.0f} passes per document."
        )
    if row == 0 and attributes["best"] < attributes["pilot_passes"] / 2:
        reasons.append(
            "Fewer passes for each of even more documents may be better, but the pilot does not extrapolate that far."
        )
    return Summary(frame, {}, (advice, *reasons, *made_by(result)))


def _comparison_table(result: xr.Dataset) -> Summary:
    """Tabulate what `compare` returns, one row per estimator, the best first."""
    lower, upper = result["variance_ratio_ci"].values.T
    columns = {
        "estimator": result["estimator"].values,
        "standing": result["standing"].values,
        "variance per pass": result["variance_per_pass"].values,
        "ratio to best": result["variance_ratio"].values,
        "lower": lower,
        "upper": upper,
        "p value": result["variance_ratio_p"].values,
    }
    columns |= {"rmse": result["rmse"].values} if "rmse" in result else {}
    columns |= {
        "passes": result["passes"].values,
        "replicates": result["replicates"].values,
        "passes run": result["forward_passes"].values,
    }
    attributes = result.attrs
    items = f"{attributes['items']} {attributes['unit']}" + ("s" if attributes["items"] > 1 else "")
    notes = [
        attributes["verdict"],
        f"{items}; nats^2; simultaneous {100 * attributes['ci_prob']:g} % intervals of the ratio; p values adjusted by "
        "Holm's procedure",
    ]
    sentences = caution_sentences(result)
    for key, words in sentences.items():
        held = result["cautions"].sel(caution=key).values
        notes.append(f"Caution ({key}: {', '.join(result['estimator'].values[held].tolist())}): {words}.")
    return Summary(pd.DataFrame(columns), {}, tuple(notes))


def _decimals(error: FloatArray) -> NDArray[np.int64]:
    """Return how many decimals give each error two digits; 6 where the error is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        places = 1 - np.floor(np.log10(error))
    return np.where(np.isfinite(places), np.clip(places, 0, 12), 6).astype(np.int64)


def _fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else significant(value)


def made_by(result: xr.Dataset) -> tuple[str, ...]:
    """Return the provenance of a result in words: estimator, passes, what ``auto`` chose, and cautions."""
    result = with_estimates(result)
    attributes = result.attrs
    until = f" or more until +-{attributes['precision']}" if "precision" in attributes else ""
    amount = f"{attributes['passes']} passes x {attributes['replicates']} replicates{until}"
    return (
        f"nats; {attributes['estimator']}, {amount}, seed {attributes['seed']}; {_intervals(result)}",
        *estimand_notes(attributes),
        *_reached(result),
        *(f"auto chose {name}: {why}." for name, why in json.loads(attributes["choices"]).items()),
        *(f"Caution ({key}{_rows(result, key)}): {words}." for key, words in caution_sentences(result).items()),
    )


def _rows(result: xr.Dataset, key: str) -> str:
    """Return for which rows a caution holds; nothing if for all of them."""
    held = result["cautions"].sel(caution=key)
    if held.ndim != 1 or held.values.all():
        return ""
    names = result[held.dims[0]].values[held.values].tolist()
    return f", {len(names)} of {held.size} rows: {concise(names)}"


def _reached(result: xr.Dataset) -> tuple[str, ...]:
    """Return in how many rows a precision was reached, and the passes saved."""
    if "passes_saved" not in result.attrs:
        return ()
    reached, saved = result["reached"].values, int(result.attrs["passes_saved"])
    return (
        f"The precision is reached in {int(reached.sum())} of {reached.size} rows; {saved:,} passes saved compared "
        "with giving every row the largest number of replicates.",
    )


def _intervals(result: xr.Dataset) -> str:
    kinds = result["interval"].values.ravel().tolist() if "interval" in result else [result.attrs["ci_kind"]]
    together = "simultaneous " if result.attrs.get("ci_simultaneous") else ""
    return f"{together}{100 * result.attrs['ci_prob']:g} % intervals: {', '.join(filter(None, dict.fromkeys(kinds)))}"


def _points(agree: NDArray[np.bool_]) -> tuple[str, ...]:
    if not agree.any():
        return ()
    return (f"In {int(agree.sum())} of {len(agree)} rows all replicates are equal: the interval is a point.",)
