"""The page that a planner opens."""

from .content import (
    Budget,
    BudgetPoint,
    Estimate,
    Favoured,
    GroupRow,
    GroupTable,
    Headline,
    InputFact,
    LimitRow,
    Note,
    Proof,
    ReasonRow,
    ReportContent,
    RunFacts,
    Unit,
)
from .page import render_report

__all__ = [
    "Budget",
    "BudgetPoint",
    "Estimate",
    "Favoured",
    "GroupRow",
    "GroupTable",
    "Headline",
    "InputFact",
    "LimitRow",
    "Note",
    "Proof",
    "ReasonRow",
    "ReportContent",
    "RunFacts",
    "Unit",
    "render_report",
]
