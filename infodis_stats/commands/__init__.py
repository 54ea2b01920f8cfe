"""The commands: each is a function of the same name, from parsed arguments to tables, JSON or files."""

from infodis_stats.commands.checking import check, validate
from infodis_stats.commands.comparing import compare
from infodis_stats.commands.consistency import consistency
from infodis_stats.commands.information import doctor, estimators, intervals
from infodis_stats.commands.likelihoods import nll, ratio
from infodis_stats.commands.option_names import with_options
from infodis_stats.commands.ranking import rank
from infodis_stats.commands.scanning import scan
from infodis_stats.commands.studies import init, report, schema, status, study
from infodis_stats.commands.training import train

__all__ = [
    "check",
    "compare",
    "consistency",
    "doctor",
    "estimators",
    "init",
    "intervals",
    "nll",
    "rank",
    "ratio",
    "report",
    "scan",
    "schema",
    "status",
    "study",
    "train",
    "validate",
    "with_options",
]
