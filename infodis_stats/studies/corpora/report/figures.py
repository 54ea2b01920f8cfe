"""Figures of a comparison of corpora."""

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter
from scipy.stats import norm

from infodis_stats.report.loss_map import TextMap, loss_map_svg
from infodis_stats.report.svg import STYLE, panels, subsample, subsample_note, to_svg
from infodis_stats.studies.view import Study

__all__ = ["auroc_figure", "maps_figure", "scores_figure"]

COLOURS = ("#444444", "#c2571a", "#2b6cb0", "#1b7f4b", "#7a4fa3", "#b08a00", "#0f7f86")


def scores_figure(study: Study) -> str:
    """Draw the cost of each text, at most 500 per corpus, and the mean of each corpus with its interval."""
    summary, draws = study.summary, study.draws
    bits = (draws["estimate"].isel(passes=-1).mean("replicate") / draws["length"] / np.log(2)).values
    corpora = summary["corpus"].values.tolist()
    with mpl.rc_context(STYLE):
        labels: list[str] = []
        figure, (axis,) = panels(1, 0.9 + 0.55 * len(corpora), margin=3.6)
        for height, (name, colour) in enumerate(zip(corpora, COLOURS * len(corpora), strict=False)):
            texts = bits[(draws["corpus"] == name).values]
            values = texts[subsample(len(texts))]
            labels.append(name + subsample_note(len(texts)).replace("; ", "\n"))
            # Spread over the height of the row, independently of the values.
            spread = 0.32 * np.sin(2.4 * np.arange(len(values)))
            axis.plot(values, height + spread, "o", color=colour, markersize=2.6, alpha=0.45, markeredgewidth=0)
            part = summary.sel(corpus=name)
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
        figure, (axis,) = panels(1, 3.1, margin=2.6)
        for index, (name, colour) in enumerate(zip(corpora, COLOURS * len(corpora), strict=False)):
            if name == summary.attrs["reference"]:
                continue
            part = summary.sel(corpus=name)
            lower, upper = part["auroc_ci"].values.T
            shift = 1.03 ** (index - len(corpora) / 2)
            axis.vlines(passes * shift, lower, upper, color=colour, linewidth=1.1)
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
    """Draw the chosen texts, coloured by the cost of their tokens."""
    maps, level = study["maps"], study.summary.attrs["ci_prob"]
    chosen = []
    for name in dict.fromkeys(maps["text"].values.tolist()):
        part = maps.isel(place=maps["text"].values == name)
        chosen.append(
            TextMap(
                name,
                str(part["prompt"].values[0]),
                part["token"].values.tolist(),
                part["nll"].values / np.log(2),
                part["nll_se"].values / np.log(2),
            )
        )
    return loss_map_svg(chosen, float(norm.ppf((1 + level) / 2)))
