"""Run directories and exports: files that other systems load."""

from .approval import approve_run, refuse_unapproved
from .export import Exported, ExportOptions, export_offers, refuse_unverified
from .findings import Finding, Severity, blocks, check_accepted, refuse_blocked
from .finished_run import FinishedRun, is_run, read_run
from .keys import SecretKey, read_key
from .postgres import export_to_postgres
from .preflight import WARNINGS, Flight, preflight
from .records import only_one
from .run_directory import (
    AllocationTable,
    InputFile,
    RunFiles,
    RunRecord,
    default_run_directory,
    free_directory,
    write_run,
)
from .selection import Filters, read_filters, select
from .siblings import add_entry, previous, refuse_superseded
from .study import write_study

__all__ = [
    "WARNINGS",
    "AllocationTable",
    "ExportOptions",
    "Exported",
    "Filters",
    "Finding",
    "FinishedRun",
    "Flight",
    "InputFile",
    "RunFiles",
    "RunRecord",
    "SecretKey",
    "Severity",
    "add_entry",
    "approve_run",
    "blocks",
    "check_accepted",
    "default_run_directory",
    "export_offers",
    "export_to_postgres",
    "free_directory",
    "is_run",
    "only_one",
    "preflight",
    "previous",
    "read_filters",
    "read_key",
    "read_run",
    "refuse_blocked",
    "refuse_superseded",
    "refuse_unapproved",
    "refuse_unverified",
    "select",
    "write_run",
    "write_study",
]
