"""The regression-adjusted estimator: what can be predicted of a loss is subtracted, and its exact mean added back.

``estimator.py`` draws the plan, ``strata.py`` is the law of the masks' sizes, ``prior.py`` says how losses are
correlated, ``lags.py`` finds correlations far away, ``cross_fitting.py`` predicts passes from the others with the
systems of ``shared_coefficients.py``, ``damping.py`` scales the prediction by how well it has proved right,
``settings.py`` says how much is fitted to how many passes. ``rounds.py`` is for samples that grow.
"""

from estimators.masked.regression.estimator import Regression

__all__ = ["Regression"]
