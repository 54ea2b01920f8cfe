"""Blocks: how far off single draws of a block-diffusion model are, and how much variance its blocks save."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.blocks.example import EXAMPLE
from infodis_stats.studies.blocks.schema import BlocksSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["BLOCKS"]

BLOCKS = StudyKind(
    name="blocks",
    schema=BlocksSpec,
    run=on_first_call("infodis_stats.studies.blocks.run:compare_blocks"),
    verdicts=on_first_call("infodis_stats.studies.blocks.verdicts:blocks_verdicts"),
    document=on_first_call("infodis_stats.studies.blocks.report:blocks_document"),
    example=EXAMPLE,
)
