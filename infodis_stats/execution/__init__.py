"""Work: the cells of a study in blocks that run anywhere, in any order, and not again once they are on the disk."""

from infodis_stats.execution.executors import Crew, WorkError, cluster, here, processes
from infodis_stats.execution.ledger import Ledger, Progress, progress_of
from infodis_stats.execution.run import Order, run
from infodis_stats.execution.section import Columns, Course, Section

__all__ = [
    "Columns",
    "Course",
    "Crew",
    "Ledger",
    "Order",
    "Progress",
    "Section",
    "WorkError",
    "cluster",
    "here",
    "processes",
    "progress_of",
    "run",
]
