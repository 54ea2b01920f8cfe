"""Verdicts on a study of likelihoods."""

import numpy as np

from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import significant
from infodis_stats.studies.verdicts import FAMILY, bias_verdict
from infodis_stats.studies.view import Study

__all__ = ["likelihoods_verdicts"]

ROUNDING = 1e-5  # relative: float32 losses of two computations
PRECISE = 0.003  # standard error of the any-order value of all texts of a subject over the value


def likelihoods_verdicts(study: Study) -> list[Verdict]:
    """Check reference values, the order of the bounds, lower bounds that are withheld, and unbiased estimators."""
    return [
        _reference_verdict(study),
        _inequality_verdict(study),
        _bracket_verdict(study),
        bias_verdict(study.summary),
        _simulation_verdict(study),
    ]


def _reference_verdict(study: Study) -> Verdict:
    truth = study.truth
    if bool(truth["enumerated"].all()):
        return Verdict("any-order values", "fine", "exact: a law's own, or from all masks of each text or block")
    grouped = truth.assign(square=truth["truth_se"] ** 2)[["truth", "square"]].groupby("subject").sum()
    share = float((np.sqrt(grouped["square"]) / grouped["truth"]).max())
    measured = f"at most {significant(100 * share, 2)} % of the value of all texts of a subject"
    if share > PRECISE:
        reason = "the standard errors of the long runs are not small beside the biases that they measure"
        return Verdict("any-order values", "caution", reason, "take more truth_passes", measured)
    return Verdict("any-order values", "fine", "the standard errors of the long runs are small", "", measured)


def _inequality_verdict(study: Study) -> Verdict:
    values = study["values"]
    any_order, marginal = (values.sel(estimand=name) for name in ("any-order", "order-marginal"))
    error = np.hypot(any_order["lower_se"], marginal["lower_se"])
    above = marginal["lower"] > any_order["upper"] * (1 + ROUNDING) + 4 * error
    check = "order-marginal at most any-order"
    if bool(above.any()):
        names = ", ".join(values["item"].values[above.values].tolist()[:3])
        reason = f"the order-marginal value exceeds the any-order value, which no model allows: {names}"
        return Verdict(check, "do not use", reason, "check that the model gives the same losses in every call")
    return Verdict(check, "fine", "holds for every text")


def _bracket_verdict(study: Study) -> Verdict:
    withheld = ~np.isfinite(study["values"]["lower"].sel(estimand="order-marginal").values)
    if withheld.any():
        reason = f"no lower bound is known of {int(withheld.sum())} of {counted(withheld.size, 'order-marginal value')}"
        return Verdict("order-marginal bounds", "caution", reason, "take more orders, or shorter texts")
    return Verdict("order-marginal bounds", "fine", "exact, or bounded on both sides")


def _simulation_verdict(study: Study) -> Verdict:
    """Check the draws against exact means; heavy tails do not count."""
    summary = study.summary
    finite = summary.isel(estimator=~summary["cautions"].sel(caution="infinite-variance").values)
    known = int(finite["simulation_p"].notnull().sum())
    check = "draws against exact means"
    if not known:
        return Verdict(check, "fine", "no exact mean is known")
    off = (finite["simulation_p"] < FAMILY).any("subject")
    names = ", ".join(finite["estimator"].values[off.values].tolist())
    if names:
        reason = f"the mean of the draws differs significantly from the exact mean: {names}"
        return Verdict(check, "do not use", reason, "report this: the estimator or its exact mean is wrong")
    return Verdict(check, "fine", "no significant difference", "", counted(known, "cell"))
