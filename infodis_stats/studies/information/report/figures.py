"""Figures of a study of information."""

import matplotlib as mpl
import numpy as np

from infodis_stats.plots.errors import draw_errors, largest_error
from infodis_stats.plots.families import families, looks
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample_note
from infodis_stats.plots.numbers import band
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.view import Study

__all__ = ["curves_figure", "errors_figure"]

NOISES = {"absorbing": "#2b6cb0", "uniform": "#c81e3a"}


def errors_figure(study: Study) -> str:
    """Draw the estimates of the best of each family minus the exact values, with their intervals."""
    summary, draws = study.summary, study.draws
    passes = int(draws["passes"].values[-1])
    replicates, level = summary.attrs["interval_replicates"], summary.attrs["ci_prob"]
    names = looks(summary["estimator"].values.tolist())
    ratio = summary["efficiency"].sel(passes=passes).min("group")
    best = {
        family: max(members, key=lambda name: float(ratio.sel(estimator=name).fillna(-np.inf)))
        for family, members in families(list(names)).items()
    }
    chosen = draws["estimate"].sel(passes=passes).isel(replicate=slice(replicates)).transpose(..., "item", "replicate")
    every = {name: chosen.sel(estimator=name).values for name in best.values()}
    height = largest_error(list(every.values()), study.truth["truth"].values, level)
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(best), 3.4, most=2)
        for axis, (family, name) in zip(axes, best.items(), strict=True):
            draw_errors(axis, every[name], study.truth, level, names[name]["color"])
            axis.set_ylim(-height, height)
            axis.set_title(f"{family}\n{name}", fontsize=9, parse_math=False)
        figure.supxlabel(f"exact negative log-likelihood (nats){subsample_note(draws.sizes['item'])}")
        figure.supylabel(f"error, {passes} passes × {replicates} (nats)")
        return to_svg(figure, "estimates")


def curves_figure(study: Study) -> str:
    """Draw the information against the noise level, one panel per group: bands, exact curves, and the entropy."""
    curves = study["curves"]
    noise_level = curves["noise_level"].values
    with mpl.rc_context(STYLE):
        figure, axes = panels(curves.sizes["group"], 3.0, most=2)
        for axis, group in zip(axes, curves["group"].values.tolist(), strict=True):
            part = curves.sel(group=group)
            for noise in part["noise"].values.tolist():
                curve, colour = part.sel(noise=noise), NOISES[noise]
                lower, upper = (curve["information_ci"].sel(ci_bound=end).values for end in ("lower", "upper"))
                axis.fill_between(
                    noise_level, lower, upper, color=colour, alpha=0.25, linewidth=0, label=f"{noise}, band"
                )
                estimate = curve["information"].values
                axis.plot(noise_level, estimate, color=colour, linewidth=1, label=f"{noise}, estimate")
                if curve["exact"].notnull().all():
                    axis.plot(noise_level, curve["exact"].values, ":", color="#111111", linewidth=1.4, label="exact")
                texts = [
                    f"{noise}, noise level {level:.3g}: {band(*numbers)} nats"
                    for level, *numbers in zip(
                        *(values.tolist() for values in (noise_level, estimate, lower, upper)), strict=True
                    )
                ]
                add_hover(axis, noise_level, estimate, texts)
            entropy = float(part["entropy"])
            if np.isfinite(entropy):
                axis.axhline(entropy, color="#333333", linewidth=0.9, linestyle="--", label="entropy")
            axis.set_title(group, parse_math=False)
            axis.set_xlim(0, 1)
            axis.set_ylim(0, None)
        figure.supxlabel("noise level 1 − exp(−total noise)")
        figure.supylabel("mutual information (nats)")
        labelled = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(list(labelled.values()), list(labelled), loc="outside upper center", ncols=7, fontsize=8)
        return to_svg(figure, "information")
