"""What the commands do: from parsed arguments to tables, JSON or files. Each is a function of its own name."""

from infodis_stats.commands.consistency import consistency
from infodis_stats.commands.information import doctor, estimators
from infodis_stats.commands.likelihoods import nll, ratio
from infodis_stats.commands.scanning import scan
from infodis_stats.commands.studies import report, study
from infodis_stats.commands.training import train

__all__ = ["consistency", "doctor", "estimators", "nll", "ratio", "report", "scan", "study", "train"]
