"""The report: a study as a self-contained page, as Markdown and as tables."""

import json
from collections.abc import Mapping
from pathlib import Path

import jinja2
import xarray as xr

from infodis_stats.cautions import CAUTIONS
from infodis_stats.files import atomic_path, writable_folder
from infodis_stats.report.answer import answer
from infodis_stats.report.figures import efficiency_figure, estimates_figure, variance_figure
from infodis_stats.report.tables import (
    bias_table,
    coverage_table,
    efficiency_table,
    main_table,
    numeric_tables,
    slope_table,
    tail_table,
)
from infodis_stats.store import write_store

FIGURES = {"estimates": estimates_figure, "variance": variance_figure, "efficiency": efficiency_figure}

__all__ = ["environment", "render_html", "render_markdown", "write_report", "write_texts"]


def write_report(tree: xr.DataTree, folder: Path | str) -> Path:
    """Write a study and its report into a folder.

    Parameters
    ----------
    tree : xarray.DataTree
        What `run_study` returns.
    folder : Path or str
        Made if need be. Gets ``study.nc``, ``report.html`` (self-contained), ``report.md`` with ``figures/*.svg``, and
        ``tables/*.csv``; each file is replaced whole.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    folder = writable_folder(folder)
    files = {"report.md": render_markdown(tree), "report.html": render_html(tree)}
    files |= {f"figures/{name}.svg": draw(tree) for name, draw in FIGURES.items()}
    files |= {f"tables/{name}.csv": frame.to_csv(index=False) for name, frame in numeric_tables(tree).items()}
    write_store(tree, folder / "study.nc")
    write_texts(files, folder)
    return folder / "report.html"


def write_texts(files: Mapping[str, str], folder: Path) -> None:
    """Write texts to files in a folder, each replaced whole; folders inside it are made if need be."""
    for name, text in files.items():
        path = folder / name
        with atomic_path(writable_folder(path.parent) / path.name) as beside:
            beside.write_text(text, encoding="utf-8")


def render_html(tree: xr.DataTree) -> str:
    """Return the report as one page with its figures inside."""
    figures = {name: draw(tree) for name, draw in FIGURES.items()}
    return environment(autoescape=True).get_template("report.html.jinja").render(_content(tree), figures=figures)


def render_markdown(tree: xr.DataTree) -> str:
    """Return the report as Markdown; it shows the files in ``figures/``."""
    return environment(autoescape=False).get_template("report.md.jinja").render(_content(tree))


def environment(*, autoescape: bool) -> jinja2.Environment:
    """Return what renders the templates; escape for HTML, not for Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("infodis_stats.report", "templates"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["markdown_table"] = lambda frame: frame.to_markdown(index=False, disable_numparse=True)
    return environment


def _content(tree: xr.DataTree) -> dict[str, object]:
    summary, provenance = tree["summary"].to_dataset(), tree["provenance"].attrs
    groups = summary["group"].values.tolist()
    cells = {key for text in summary["cautions"].values.ravel().tolist() for key in str(text).split()}
    truth = tree["truth"].to_dataset()
    sizes = {group: int((truth["group"] == group).sum()) for group in groups}
    return {
        "title": tree.attrs["title"],
        "ratio": tree.attrs["quantity"] == "log_ratio",
        "answer": answer(tree),
        "groups": groups,
        "sizes": sizes,
        "reference": summary.attrs["reference"],
        "level": f"{100 * summary.attrs['ci_prob']:g}",
        "interval_replicates": summary.attrs["interval_replicates"],
        "replicates": tree["draws"].sizes["replicate"],
        "enumerated": bool(summary["exact_variance"].notnull().any()),
        "largest_passes": int(summary["passes"][-1]),
        "main": {group: main_table(tree, group) for group in groups},
        "efficiency": {group: efficiency_table(tree, group) for group in groups},
        "slopes": {group: slope_table(tree, group) for group in groups},
        "bias": {group: bias_table(tree, group) for group in groups},
        "coverage": {
            kind: {group: coverage_table(tree, group, kind) for group in groups} for kind in ("student-t", "bca")
        },
        "tails": {group: tail_table(tree, group) for group in groups},
        "cautions": {key: sentence for key, sentence in CAUTIONS.items() if key in cells},
        "not_run": json.loads(provenance["not_run"]),
        "model": provenance["model"],
        "seed": provenance["seed"],
        "spec": provenance["spec"],
        "versions": json.loads(provenance["versions"]),
        "forward_passes": f"{int(provenance['forward_passes']):,}",
        "wall_seconds": provenance["wall_seconds"],
        "profile": {
            group: {
                "effective": float(truth["effective_positions"].values[(truth["group"] == group).values].min()),
                "ratio": float(truth["full_mask_ratio"].values[(truth["group"] == group).values].max()),
            }
            for group in groups
        },
    }
