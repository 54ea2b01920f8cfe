"""The regression-adjusted estimator: what can be predicted of a loss is subtracted, and its exact mean added back.

``estimator.py`` draws the plan, ``strata.py`` is the law of the masks' sizes, ``prior.py`` says how losses are
correlated, ``lags.py`` finds correlations far away, ``leave_one_out.py`` predicts each pass from the others,
``damping.py`` scales the prediction by how well it has proved right.
"""

from estimators.masked.regression.estimator import Regression

__all__ = ["Regression"]
