"""Execution of studies: cells are drawn in blocks, in any order and place, and completed blocks are kept."""

from infodis_stats.execution.executors import ExecutorFactory, WorkError, cluster, in_process, processes
from infodis_stats.execution.ledger import Ledger, StudyProgress, progress_of
from infodis_stats.execution.run import StudyRun, run
from infodis_stats.execution.section import Columns, Section, Workflow

__all__ = [
    "Columns",
    "ExecutorFactory",
    "Ledger",
    "Section",
    "StudyProgress",
    "StudyRun",
    "WorkError",
    "Workflow",
    "cluster",
    "in_process",
    "processes",
    "progress_of",
    "run",
]
