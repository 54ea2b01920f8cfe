"""Statistics of replicated estimates, as functions of plain numpy arrays.

``draws`` are arrays (..., R) in nats: the last axis has R independent replicates of an estimate, and the leading axes
are cells such as sequences, estimators and numbers of passes. `Estimates` have standard errors and degrees of freedom,
from replicates or from the design of a single one. A ``truth`` broadcasts to (...). NaN cells give NaN without a
warning.

- `replicates`: `Estimates`, input checks, blocks of replicates, and the tolerance within which values count as equal
- `moments`: bias with its t test, variance, mean squared error
- `multiple_testing`: Holm's adjustment
- `intervals`: Student's t, BCa bootstrap, Hall's transformed t; simultaneous levels
- `mask_bootstrap`: a bootstrap-t interval that resamples masks instead of replicates
- `sequential`: intervals and p-values that are valid at every sample size
- `coverage_rates`: coverage rates with Wilson intervals, and a test against the nominal level
- `decisions`: p-values for the signs of many means, with multiple-testing adjustment
- `elimination`: successive elimination of candidates, with sequential p-values
- `efficiency`, `variance_comparison`: variance ratios of two estimators; tests of equal variances
- `variance_ranking`: many estimators by their variances, ties with the best included
- `selection`: regret of each estimator relative to the best one, by cross-fitting; geometric means
- `convergence`: log variances and their slope in the log number of passes
- `accuracy`, `paired_accuracy`: shares of right answers that are known up to the noise of the masks
- `averages`, `win_rates`, `variance_components`: averages, win rates and variance components over documents
- `population`: means of a population from documents of unequal weight
- `log_means`: bounds on the log of a mean, with an interval
- `jensen`: the gap between a mean and minus the log of a mean exponential
- `discrimination`: AUROC and its interval
- `control_variate`: weighted means corrected by the total weight
- `rank_plot`: rank plots of the first half of the replicates
- `tails`: Pareto k-hat
"""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
