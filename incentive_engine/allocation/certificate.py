"""What is proven about a plan: value, bound, gap, and every limit's usage, price and slack."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.population.units import CellTable, Units
from incentive_engine.allocation.problem import Question
from incentive_engine.allocation.risk import RiskReport
from incentive_engine.allocation.solver_report import SolverReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioReport:
    """A ratio as the policy puts it: its bounds, and what it is (None over nothing)."""

    at_most: float | None
    at_least: float | None
    usage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReport:
    """One limit's entry.

    Attributes
    ----------
    name, at_most, at_least, report_only
        As in the policy, shares resolved. A ratio stands in its linear form: Σ(r·b − a), or
        Σ(a − r·b) where the ratio is bounded above, is at most 0.
    usage
        The sum.
    price
        Value given up per unit; None for a limit that is only reported.
    slack
        The distance to the nearer bound.
    ratio
        Only of a ratio: the ratio itself.
    """

    name: str
    at_most: float | None
    at_least: float | None
    report_only: bool
    usage: float | None
    price: float | None
    slack: float
    ratio: RatioReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as certificate.json has it."""
        entry: dict[str, Any] = {
            "name": self.name,
            "at_most": self.at_most,
            "at_least": self.at_least,
            "usage": self.usage,
        }
        if self.report_only:
            entry["report_only"] = True
        else:
            entry["price"] = self.price
        entry["slack"] = self.slack
        if self.ratio is not None:
            entry["ratio"] = asdict(self.ratio)
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The budget and what a plan takes of it, currency units."""

    amount: float | None
    basis: str
    spent: float
    spent_face: float | None
    at_risk: RiskReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry `budget` of certificate.json."""
        entry: dict[str, Any] = {
            "amount": self.amount,
            "basis": self.basis,
            "spent": self.spent,
            "spent_face": self.spent_face,
        }
        if self.at_risk is not None:
            entry["at_risk"] = self.at_risk.to_dict()
        return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What is proven about a plan.

    Attributes
    ----------
    value
        The sum of the chosen values.
    bound
        No plan is worth more: the Lagrangian dual at the prices, in float64.
    feasible
        Whether every enforced limit holds.
    users, treated
        How many users there are, and how many get an offer.
    budget
        The pool; its amount is None without one.
    limits
        One entry per limit, in the problem's order.
    solver
        How the solvers ended, for the record.
    """

    value: float
    bound: float
    feasible: bool
    users: int
    treated: int
    budget: Spending
    limits: tuple[LimitReport, ...]
    solver: SolverReport

    @property
    def gap(self) -> float:
        """(bound − value) / bound, by the bound's size; 0 when both are equal."""
        if self.bound == self.value:
            return 0.0
        return (self.bound - self.value) / max(abs(self.bound), 1e-300)

    def to_dict(self) -> dict[str, Any]:
        """Return the content of certificate.json."""
        return {
            "value": self.value,
            "bound": self.bound,
            "gap": self.gap,
            "feasible": self.feasible,
            "users": self.users,
            "treated": self.treated,
            "budget": self.budget.to_dict(),
            "limits": [limit.to_dict() for limit in self.limits],
            "solver": self.solver.to_dict(),
        }

    def _repr_html_(self) -> str:
        """Return the proof as two small tables, for notebooks."""
        proof = [
            f"value {self.value:,.6g}, bound {self.bound:,.6g}, gap {self.gap:.1e}",
            f"{self.treated:,} of {self.users:,} users treated",
        ]
        cells: list[tuple[str, ...]] = [("limit", "at most", "at least", "usage", "price")]
        cells += [
            (limit.name, *(
                "–" if figure is None else f"{figure:,.6g}"
                for figure in (limit.at_most, limit.at_least, limit.usage, limit.price)
            ))
            for limit in self.limits
        ]  # fmt: skip
        lines = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells
        )
        return f"<b>{'; '.join(proof)}</b><table>{lines}</table>"


def report_limit(
    question: Question,
    units: Units,
    limit: LinearLimit,
    table: CellTable,
    price: float | None,
) -> LimitReport:
    """Return one limit's entry for what a plan adds up to."""
    row = rows_of(question, units, [limit])
    usage = float(row.exact_usage(table)[0])
    distances = [float(row.upper[0]) - usage, usage - float(row.lower[0])]
    return LimitReport(
        name=limit.name,
        at_most=limit.at_most,
        at_least=limit.at_least,
        report_only=limit.report_only,
        usage=usage,
        price=None if limit.report_only else price,
        slack=min(distances),
        ratio=ratio_of(question, units, limit, table),
    )


def ratio_of(
    question: Question, units: Units, limit: LinearLimit, table: CellTable
) -> RatioReport | None:
    """Return the ratio behind a limit as a plan's sums make it, None where it has none."""
    ratio = limit.ratio
    if ratio is None:
        return None
    sums = []
    for measure, everywhere in ((ratio.numerator, False), (ratio.denominator, ratio.of_plan)):
        one_sum = LinearLimit(
            name=limit.name,
            terms=((measure, 1.0),),
            cells=None if everywhere else limit.cells,
            offers=None if everywhere else limit.offers,
            at_most=0.0,
        )
        sums.append(float(rows_of(question, units, [one_sum]).exact_usage(table)[0]))
    achieved = sums[0] / sums[1] if sums[1] else None
    return RatioReport(at_most=ratio.at_most, at_least=ratio.at_least, usage=achieved)
