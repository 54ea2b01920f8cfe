"""The page of a model check: verdicts, what was measured, the attention pattern, and how to load the model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from infodis_stats.diagnostics.models import ModelCheck, Validation
from infodis_stats.io.files import writable_folder
from infodis_stats.plots.numbers import significant
from infodis_stats.plots.style import STYLE
from infodis_stats.report.document import Answer, Code, Document, Figure, Heading, Note, Points, Table, Verdicts
from infodis_stats.report.page import files_of, write_texts
from infodis_stats.report.svg import to_svg
from infodis_stats.results.provenance import versions

__all__ = ["validation_table", "write_model_check"]

SHOWN = 64  # characters of a text in a table
WORDS = {
    "attention": "attention pattern",
    "block_size": "block size",
    "deterministic": "identical calls agree",
    "repeat_difference": "difference of identical calls (nats)",
    "sees_masked": "losses depend on masked tokens",
    "batch_difference": "difference between batches (nats)",
    "finite": "losses are finite",
    "visible_loss": "loss at visible positions (nats)",
    "total_probability": "sum of the probabilities at one position",
    "shifted": "logits shifted by one position",
    "text_nll": "loss on the texts (nats per token)",
    "chance_nll": "loss by chance (nats per token)",
    "best_mask_id": "mask that predicts the texts best",
    "best_before": "special tokens in front that predict the texts best",
    "best_after": "special tokens behind that predict the texts best",
    "computation_difference": "difference from the plain computation (nats)",
    "mask_id": "mask id",
    "mask_excluded": "mask excluded from the softmax",
    "mask_cost": "cost of the mask (nats per token)",
    "time_matters": "time or noise level matters",
    "padding_difference": "effect of padding (nats)",
    "round_trips": "texts survive encoding",
    "boundary_changes": "boundaries where tokens change",
    "boundaries": "boundaries examined",
    "order_sd": "standard deviation over orders (nats)",
    "order_gap": "order gap (nats)",
    "distribution_difference": "difference of distributions from losses (nats)",
    "order_marginal_difference": "NLL of random orders, at most, minus the any-order value (nats)",
    "confidence_difference": "NLL of the decoder confidence minus the any-order value (nats)",
    "left_to_right_difference": "NLL from left to right minus the any-order value (nats)",
    "half_precision_error": "error of half precision (nats)",
    "interval_half_width": "half-width of an interval (nats)",
    "fingerprint": "fingerprint",
    "fingerprint_stable": "fingerprint does not change",
    "drift": "difference at the end of the check (nats)",
    "takes_longest": "longest input can be scored",
    "long_difference": "difference of identical calls at the longest input (nats)",
    "refused_family": "refused family",
}


def write_model_check(check: ModelCheck, folder: Path | str, validation: Validation | None = None) -> Path:
    """Write the check of a model into a folder.

    Parameters
    ----------
    check : ModelCheck
    folder : Path or str
        Created if missing. Gets ``check.html`` (self-contained), and ``check.md`` with ``figures/*.svg``; each file is
        replaced whole.
    validation : Validation, optional
        Shown as a table.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import infodis_stats as ids
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ids.write_model_check(ids.check_model(ids.load_model("austen")), folder).name
    'check.html'
    """
    folder = writable_folder(folder)
    write_texts(files_of(_document(check, validation), "check"), folder)
    return folder / "check.html"


def validation_table(validation: Validation) -> pd.DataFrame:
    """Return the table of a validation as it is printed: numbers as text, and the beginnings of long texts."""
    table = validation.table.copy()
    table["text"] = [text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..." for text in table["text"]]
    for name in ("NLL", "published convention"):
        table[name] = table[name].map("{:.6f}".format)
    table["largest difference"] = table["largest difference"].map("{:.1e}".format)
    return table.rename(columns={"NLL": "NLL (nats)"}).astype(str)


def _document(check: ModelCheck, validation: Validation | None) -> Document:
    sections: list[Any] = [Verdicts(check.diagnosis)]
    if validation is not None:
        sections += [Heading("Validation"), Answer((validation.answer,)), Table(validation_table(validation))]
    if check.dependence is not None:
        caption = (
            "In each row one token is changed. Blue: the loss at this position changes; white: it does not; grey: not "
            "measured, because the position was visible. A bidirectional network fills the square, a causal one the "
            "upper triangle, and a block-causal one makes steps."
        )
        title = f"Attention: {check.measured['attention']}"
        sections += [Heading(title), Figure("attention", title, _picture(check.dependence), caption)]
    sections += [Heading("Measurements"), Table(_measurements(check.measured))]
    if check.options:
        sections += [
            Heading("Options"),
            Note("The model was loaded with these options; specify those that differ from the defaults."),
            Code(json.dumps(dict(check.options), indent=1), "json"),
        ]
    sections += [Heading("Provenance"), Points([("", f"{package} {number}") for package, number in versions().items()])]
    return Document("Model check", check.model, sections, kind="model check")


def _measurements(measured: Mapping[str, Any]) -> pd.DataFrame:
    known = {name: value for name, value in measured.items() if name != "block_size" or value is not None}
    rows = [(WORDS.get(name, name), _shown(value)) for name, value in known.items()]
    return pd.DataFrame(rows, columns=["quantity", "value"])


def _shown(value: object) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return significant(value) if isinstance(value, float) else str(value)


def _picture(dependence: NDArray[np.int8]) -> str:
    with mpl.rc_context(STYLE):
        drawing = Drawing(figsize=(4.6, 4.4), layout="constrained")
        axes = drawing.subplots()
        colours = ListedColormap(["#dddddd", "#ffffff", "#2b6cb0"])
        axes.imshow(dependence, cmap=colours, vmin=-1, vmax=1, interpolation="none")
        axes.set(xlabel="position of the loss", ylabel="position of the changed token")
        axes.grid(visible=False)
        return to_svg(drawing, "attention")
