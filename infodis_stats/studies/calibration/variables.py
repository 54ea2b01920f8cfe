"""Variables of a calibration: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "relative_width": Variable("1", "median width over that of the normal interval of known variance"),
    "short_p": Variable("1", "p-value of a coverage more than one point below nominal, Holm-adjusted"),
}
