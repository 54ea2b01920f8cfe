"""Studies: what a study file asks for, run."""

from infodis_stats.studies.study import run_study

__all__ = ["run_study"]
