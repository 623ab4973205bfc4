"""Run directories and exports: files that other systems load."""

from .export import export_offers
from .run_directory import (
    AllocationTable,
    InputFile,
    RunFiles,
    RunRecord,
    default_run_directory,
    free_directory,
    write_run,
)
from .study import write_study

__all__ = [
    "AllocationTable",
    "InputFile",
    "RunFiles",
    "RunRecord",
    "default_run_directory",
    "export_offers",
    "free_directory",
    "write_run",
    "write_study",
]
