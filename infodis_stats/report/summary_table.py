"""The table of a result: what was estimated, with as many digits as its error allows."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.estimates import decide
from infodis_stats.report.numbers import significant

__all__ = ["Summary", "made_by", "summary"]

FloatArray = NDArray[np.float64]

NEGLIGIBLE = 1e-9  # relative: replicates that differ by rounding agree

HEADINGS = {
    "bits_per_token": "bits a token",
    "correlation": "correlation",
    "coupling_gain": "coupling gain",
    "exact": "exact",
}


@dataclass(frozen=True, eq=False)
class Summary:
    """The table of `estimate_nll` and its kin; prints as text.

    Attributes
    ----------
    frame : pandas.DataFrame
        A row a sequence or pair, in full precision.
    decimals : mapping of str to array of int
        Decimals that each cell deserves: an error has two digits, and what it belongs to as many.
    notes : tuple of str
        What made it, and what the reader should know before believing it.
    """

    frame: pd.DataFrame
    decimals: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...]

    def to_dataframe(self) -> pd.DataFrame:
        """Return the numbers in full precision."""
        return self.frame

    def to_markdown(self) -> str:
        """Return the rounded table as Markdown."""
        return self._rounded().to_markdown(index=False, disable_numparse=True, colalign=self._alignment())

    def to_latex(self) -> str:
        """Return the rounded table as LaTeX (booktabs)."""
        sides = "".join(side[0] for side in self._alignment())
        return self._rounded().to_latex(index=False, escape=True, column_format=sides)

    def __str__(self) -> str:
        """Return the table and the notes."""
        table = self._rounded().to_markdown(
            index=False, tablefmt="simple", disable_numparse=True, colalign=self._alignment()
        )
        return "\n".join([table, "", *self.notes])

    def _alignment(self) -> tuple[str, ...]:
        numeric = [pd.api.types.is_numeric_dtype(kind) for kind in self.frame.dtypes]
        return tuple("right" if one else "left" for one in numeric)

    def _rounded(self) -> pd.DataFrame:
        return pd.DataFrame({name: self._texts(name) for name in self.frame.columns})

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
        Of `estimate_nll`, `estimate_log_ratio`, `estimate_texts` or `estimate_text_ratios`.

    Returns
    -------
    Summary
        Prints as text; ``to_dataframe()``, ``to_markdown()``, ``to_latex()``. Errors are given to two digits, and
        estimates to the same decimal place. Pairs have a column ``likelier``: the side that is likelier, where the
        chance of any wrong claim in the table stays below one minus the confidence level, else "open"; see
        `decide`.

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
    |          0 | 12.72 | 0.31 |   11.75 |   13.69 |   13.38 |           31 |
    |          1 | 12.98 | 0.15 |   12.52 |   13.45 |   13.90 |           32 |
    """
    known = result.data_vars if isinstance(result, xr.Dataset) else ()
    name = next((one for one in ("nll", "log_ratio") if one in known), None)
    if name is None or result[name].ndim != 1 or f"{name}_replicate" not in result:
        raise InputError("a summary needs the result of estimate_nll, estimate_log_ratio, or their kin for texts")
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
    if name == "log_ratio":
        decided = decide(result, 1 - result.attrs["ci_prob"], "family-wise")
        columns["likelier"] = decided["likelier"].values
    columns |= {heading: result[key].values for key, heading in HEADINGS.items() if key in result}
    if "bits_per_token" in result:
        bits = result["bits_per_token_ci"]
        columns |= {f"bits {end}": bits.sel(ci_bound=end).values for end in ("lower", "upper")}
        columns["tokens"] = result["length"].values
        per_token = _decimals(np.where(agree, 0.0, error) / result["length"].values / math.log(2))
        decimals |= dict.fromkeys(("bits a token", "bits lower", "bits upper"), per_token)
    columns["passes run"] = result["forward_passes"].values
    frame = pd.DataFrame(columns)
    return Summary(frame, decimals, (*made_by(result), *_points(agree)))


def _decimals(error: FloatArray) -> NDArray[np.int64]:
    """Return how many decimals give each error two digits; 6 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        places = 1 - np.floor(np.log10(error))
    return np.where(np.isfinite(places), np.clip(places, 0, 12), 6).astype(np.int64)


def _fixed(value: float, places: int) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else significant(value)


def made_by(result: xr.Dataset) -> tuple[str, ...]:
    """Say what made a result: the estimator, the passes, what ``auto`` chose, and the cautions."""
    attributes = result.attrs
    return (
        f"nats; {attributes['estimator']}, {attributes['passes']} passes x {attributes['replicates']} replicates, "
        f"seed {attributes['seed']}; {100 * attributes['ci_prob']:g} % Student-t intervals",
        *(f"auto chose {name}: {why}." for name, why in json.loads(attributes["choices"]).items()),
        *(f"Caution ({key}): {sentence}." for key, sentence in json.loads(attributes["cautions"]).items()),
    )


def _points(agree: NDArray[np.bool_]) -> tuple[str, ...]:
    if not agree.any():
        return ()
    return (f"In {int(agree.sum())} of {len(agree)} rows all replicates agree: the interval is a point.",)
