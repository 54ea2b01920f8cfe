"""Variables of a calibration: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "relative_width": Variable(
        "1", "median width of the intervals without a flag, over that of the normal interval of known variance"
    ),
    "flagged": Variable("1", "intervals with a caution of their own sample, by caution"),
    "flag_share": Variable("1", "share of the intervals with a caution of their own sample, by caution"),
    "quiet_intervals": Variable("1", "intervals without a flag: no caution of their own sample"),
    "quiet_missed_low": Variable("1", "intervals without a flag that are below the truth"),
    "quiet_missed_high": Variable("1", "intervals without a flag that are above the truth"),
    "quiet_share": Variable("1", "share of the intervals that have no flag"),
    "quiet_coverage": Variable("1", "share of the intervals without a flag that cover the truth"),
    "quiet_coverage_ci": Variable("1", "Wilson interval of the coverage of the intervals without a flag"),
    "short_p": Variable(
        "1", "p-value of a coverage of the intervals without a flag more than one point below nominal, Holm-adjusted"
    ),
}
