from .averages import average as average
from .averages import split_budget as split_budget
from .decisions import decide as decide
from .estimator_comparison import compare as compare
from .variance_comparison import compare_variances as compare_variances
