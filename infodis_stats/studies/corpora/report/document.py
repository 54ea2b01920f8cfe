"""The report of a comparison of corpora, put together."""

import numpy as np
from scipy.stats import norm

from infodis_stats.report.document import Document
from infodis_stats.report.loss_map import TextMap, loss_map_svg
from infodis_stats.results.validity import held
from infodis_stats.studies.corpora.report.answer import answer
from infodis_stats.studies.corpora.report.figures import auroc_figure, scores_figure
from infodis_stats.studies.corpora.report.tables import auroc_table, corpus_table, numeric_tables
from infodis_stats.studies.view import Study

__all__ = ["corpora_document"]


def corpora_document(study: Study) -> Document:
    """Return the report of what `run_study` makes of a comparison of corpora."""
    summary, draws = study.summary, study.draws
    figures = {"scores": scores_figure, "auroc": auroc_figure}
    if "maps" in study:
        figures["maps"] = maps_figure
    costs, areas = corpus_table(study), auroc_table(study)
    return Document(
        template="corpora",
        answer=tuple(answer(study)),
        headlines={"What a token costs": costs, "AUROC by passes": areas},
        figures=figures,
        tables=numeric_tables(study),
        content={
            "costs": costs,
            "areas": areas,
            "estimator": summary.attrs["estimator"],
            "reference": summary.attrs["reference"],
            "level": f"{100 * summary.attrs['ci_prob']:g}",
            "replicates": draws.sizes["replicate"],
            "passes": int(draws["passes"].values[-1]),
            "has_maps": "maps" in figures,
            "texts": draws.sizes["text"],
            "cautions": {caution.key: caution.sentence for caution in held(summary["cautions"])},
        },
    )


def maps_figure(study: Study) -> str:
    """Draw the texts that were chosen for it, coloured by what their tokens cost."""
    maps, level = study["maps"], study.summary.attrs["ci_prob"]
    chosen = []
    for name in dict.fromkeys(maps["text"].values.tolist()):
        one = maps.isel(place=maps["text"].values == name)
        chosen.append(
            TextMap(
                name,
                str(one["prompt"].values[0]),
                one["token"].values.tolist(),
                one["nll"].values / np.log(2),
                one["nll_se"].values / np.log(2),
            )
        )
    return loss_map_svg(chosen, float(norm.ppf((1 + level) / 2)))
