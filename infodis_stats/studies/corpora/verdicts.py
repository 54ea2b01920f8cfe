"""Verdicts on a comparison of corpora."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.results.validity import held
from infodis_stats.studies.view import Study

__all__ = ["corpora_verdicts"]

FEWEST_TEXTS = 10


def corpora_verdicts(study: Study) -> list[Verdict]:
    """Check the cautions of the estimator, the share of the mask noise, and the number of texts."""
    summary = study.summary
    cautions = caution_verdicts(held(summary["cautions"]))
    return [*cautions, _noise_verdict(float(summary["mask_share"].max())), _size_verdict(int(summary["texts"].min()))]


def _noise_verdict(share: float) -> Verdict:
    measured = f"at most {100 * share:.2g} % of the variance between texts"
    if share > 0.5:
        reason = "most of the variance between texts is noise of the masks"
        return Verdict("mask noise", "caution", reason, "take more passes", measured)
    return Verdict("mask noise", "fine", "texts differ by more than the noise of the masks", "", measured)


def _size_verdict(texts: int) -> Verdict:
    if texts < FEWEST_TEXTS:
        reason = f"a corpus has {counted(texts, 'text')}: an interval over so few assumes normality"
        return Verdict("texts", "caution", reason, f"take {FEWEST_TEXTS} or more")
    return Verdict("texts", "fine", f"at least {counted(texts, 'text')} per corpus")
