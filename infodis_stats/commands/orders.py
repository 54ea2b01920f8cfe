"""The command that tests whether the conditionals of a model come from one joint distribution."""

import argparse
import json

import numpy as np
import pandas as pd
import xarray as xr

from infodis_stats.commands.likelihoods import attributes_of
from infodis_stats.commands.models import chat_attributes, read_masked_model
from infodis_stats.commands.reading import naming, reading, scored_tokens
from infodis_stats.estimates.order_gap import order_gap
from infodis_stats.estimates.order_swaps import order_swaps
from infodis_stats.io.records import read_records
from infodis_stats.io.tables import terminal_table
from infodis_stats.laws import Law
from infodis_stats.plots.numbers import band, significant
from infodis_stats.progress import progress_bar

__all__ = ["consistency"]

COLUMNS = {
    "order_sd": "sd over orders",
    "order_gap": "gap",
    "effective_orders": "effective orders",
    "swap_rms": "root mean square swap",
    "swaps_beyond": "share above rounding",
    "one_law": "one law",
    "forward_passes": "passes run",
}


def consistency(options: argparse.Namespace) -> None:
    """Compare whole orders in which sequences can be revealed, or swaps of two neighbours in an order."""
    model = read_masked_model(options.model, options)
    texts = read_records(options.file, **reading(options))
    tokens, given = scored_tokens(model, texts, options)
    names = [record.name for record in texts]
    streams = None if isinstance(model, Law) else names  # the random numbers of a law's sequence depend on its symbols
    arguments = {name: getattr(options, name) for name in ("seed", "level", "batch_size", "device")}
    with naming(texts), progress_bar() as bar:
        arguments |= {"context": given, "names": streams, "progress": bar.update}
        if options.tolerance is not None:
            arguments["tolerance"] = options.tolerance
        if options.swaps is None:
            result = order_gap(model, tokens, orders=options.orders, **arguments)
        else:
            result = order_swaps(model, tokens, swaps=options.swaps, **arguments)
    result = result.assign_coords(sequence=names)
    frame = _frame(result)
    if options.json:
        rows = json.loads(frame.to_json(orient="records"))
        attributes = attributes_of(result) | chat_attributes(options, model)
        if "mean_order_gap_ci" in attributes:  # JSON has no infinity
            attributes["mean_order_gap_ci"] = [end if np.isfinite(end) else None for end in result.mean_order_gap_ci]
        print(json.dumps({"attributes": attributes, "sequences": rows}, indent=1))
        return
    shown = frame.map(lambda value: significant(value) if isinstance(value, float) else value)
    print(terminal_table(shown))
    print(f"\nnats; {_answer(result)}")


def _frame(result: xr.Dataset) -> pd.DataFrame:
    """Return one row per sequence, in full precision."""
    columns: dict[str, object] = {"sequence": result["sequence"].values}
    for name, heading in COLUMNS.items():
        if name in result:
            columns[heading] = result[name].values
        if f"{name}_ci" in result:
            columns |= {f"{heading} {end}": result[f"{name}_ci"].sel(ci_bound=end).values for end in ("lower", "upper")}
    columns["one law"] = np.where(result["one_law"], "not disproved", "disproved")
    return pd.DataFrame(columns)


def _answer(result: xr.Dataset) -> str:
    """Return the result in one sentence."""
    disproved, count = int((result["one_law"] == 0).sum()), result.sizes["sequence"]
    if not disproved:
        return f"no problems found in {count} sequences: orders differ by no more than rounding."
    if "order_gap" in result:
        mean = band(result.attrs["mean_order_gap"], *result.attrs["mean_order_gap_ci"])
        explanation = (
            f"the mean NLL over orders exceeds minus the log of the mean probability over orders by {mean} nats "
            f"({100 * result.attrs['ci_prob']:g} % confidence interval), on average over the sequences"
        )
    else:
        change = significant(float(result["swap_rms"].mean()))
        explanation = f"swaps of two neighbours change the NLL by {change} nats (root mean square)"
    return (
        f"the conditionals of {disproved} of {count} sequences do not come from one joint distribution; {explanation}."
    )
