"""Figures of a comparison of corpora."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.stats import norm

from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample, subsample_note
from infodis_stats.plots.loss_map import LINE, TextMap, draw_text, lines_of
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import PAGE, STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.view import Study

__all__ = ["auroc_figure", "maps_figure", "scores_figure"]

TITLE = 0.3  # inches over a text
COLOURS = ("#444444", "#c2571a", "#2b6cb0", "#1b7f4b", "#7a4fa3", "#b08a00", "#0f7f86")


def scores_figure(study: Study) -> str:
    """Draw the cost of each text, at most 500 per corpus, and the mean of each corpus with its interval."""
    summary, draws = study.summary, study.draws
    bits = (draws["estimate"].isel(passes=-1).mean("replicate") / draws["length"] / np.log(2)).values
    corpora = summary["corpus"].values.tolist()
    with mpl.rc_context(STYLE):
        labels: list[str] = []
        figure, (axis,) = panels(1, 0.9 + 0.55 * len(corpora))
        for height, (name, colour) in enumerate(zip(corpora, COLOURS * len(corpora), strict=False)):
            texts = bits[(draws["corpus"] == name).values]
            chosen = subsample(len(texts))
            values = texts[chosen]
            labels.append(name + subsample_note(len(texts)).replace("; ", "\n"))
            # Spread over the height of the row, independently of the values.
            spread = 0.32 * np.sin(2.4 * np.arange(len(values)))
            axis.plot(values, height + spread, "o", color=colour, markersize=2.6, alpha=0.45, markeredgewidth=0)
            own = draws["text"].values[(draws["corpus"] == name).values][chosen].tolist()
            each = [
                f"{text}: {significant(cost)} bits per token" for text, cost in zip(own, values.tolist(), strict=True)
            ]
            add_hover(axis, values, height + spread, each)
            part = summary.sel(corpus=name)
            ends = part["bits_per_token_ci"].values.tolist()
            mean = band(float(part["bits_per_token"]), *ends)
            axis.hlines(height, *part["bits_per_token_ci"].values.tolist(), color="black", linewidth=2.6, zorder=4)
            axis.plot(
                float(part["bits_per_token"]),
                height,
                "D",
                color="white",
                markeredgecolor="black",
                markersize=5,
                zorder=5,
            )
            add_hover(axis, [ends], [height], [f"{name}, mean: {mean} bits per token"])
        axis.set_yticks(range(len(corpora)), labels, parse_math=False)
        axis.set_ylim(len(corpora) - 0.5, -0.5)
        axis.set_xlabel("negative log-likelihood, bits per token")
        return to_svg(figure, "scores")


def auroc_figure(study: Study) -> str:
    """Draw the AUROC against the passes per text."""
    summary = study.summary
    passes = summary["passes"].values.astype(float)
    corpora = summary["corpus"].values.tolist()
    with mpl.rc_context(STYLE):
        figure, (axis,) = panels(1, 3.1)
        for index, (name, colour) in enumerate(zip(corpora, COLOURS * len(corpora), strict=False)):
            if name == summary.attrs["reference"]:
                continue
            part = summary.sel(corpus=name)
            lower, upper = part["auroc_ci"].values.T
            shift = 1.03 ** (index - len(corpora) / 2)
            axis.vlines(passes * shift, lower, upper, color=colour, linewidth=1.1)
            texts = [
                f"{name}, {count:g} passes: AUROC {band(*numbers)}"
                for count, *numbers in zip(
                    *(values.tolist() for values in (passes, part["auroc"].values, lower, upper)), strict=True
                )
            ]
            add_hover(axis, passes * shift, np.stack([lower, upper], axis=-1), texts)
            axis.plot(passes * shift, part["auroc"], "o-", color=colour, markersize=4, label=name.replace("$", r"\$"))
        axis.axhline(0.5, color="#999999", linewidth=0.8)
        axis.set_xscale("log")
        axis.set_xticks(passes, [f"{count:g}" for count in passes])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_xlabel("forward passes per text")
        axis.set_ylabel(f"AUROC against {summary.attrs['reference']}", parse_math=False)
        figure.legend(loc="outside right center", fontsize=8)
        return to_svg(figure, "auroc")


def maps_figure(study: Study) -> str:
    """Draw the chosen texts, coloured by the cost of their tokens, on one scale."""
    maps, quantile = study["maps"], float(norm.ppf((1 + study.summary.attrs["ci_prob"]) / 2))
    names = list(dict.fromkeys(maps["text"].values.tolist()))
    texts = [_text_map(maps.isel(place=maps["text"].values == name), quantile) for name in names]
    top = max(1.0, *(float(text.upper.max()) for text in texts))
    heights = [LINE * len(lines_of(text)) for text in texts]
    total = sum(heights) + TITLE * len(texts)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE, total))
        edge = total
        for name, text, height in zip(names, texts, heights, strict=True):
            edge -= TITLE + height
            axis = figure.add_axes((0.01, edge / total, 0.98, height / total))
            draw_text(axis, text, top)
            bits = text.cost.sum()
            axis.set_title(f"{name}: {bits:.1f} bits, {bits / len(text.cost):.2f} per token", parse_math=False)
        return to_svg(figure, "maps")


def _text_map(part: xr.Dataset, quantile: float) -> TextMap:
    bits, half = part["nll"].values / np.log(2), quantile * part["nll_se"].values / np.log(2)
    prompt = str(part["prompt"].values[0])
    return TextMap(prompt, part["token"].values.tolist(), bits, bits - half, bits + half, "bits")
