"""A plan in memory: allocate, look, compare budgets, save."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from incentive_engine.allocation.budgets.curve import Curve
from incentive_engine.allocation.budgets.other_budget import with_budget_of
from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.certificate import Certificate
from incentive_engine.allocation.decisions.freezing import freeze_policy
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.plan import freeze_prices, solve
from incentive_engine.config.amounts import parse_amount
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.budget.chosen_pairs import measures_of
from incentive_engine.insight.budget.policy_options import (
    BudgetOptions,
    require_budget,
    with_options,
)
from incentive_engine.insight.stated_problem import StatedProblem, by_the_trial, state_problem
from incentive_engine.insight.value.cost_correction import CostCorrection
from incentive_engine.insight.value.gain import value_trial
from incentive_engine.language import Code, message_of
from incentive_engine.library.arguments import (
    Amount,
    amount_text,
    check_scores,
    named_by_argument,
    options_of,
)
from incentive_engine.library.html import facts, grid, number
from incentive_engine.pipeline.steps import Steps
from incentive_engine.run.directory import allocation_table, refuse_existing, written_policy
from incentive_engine.workflow.begin import Origin
from incentive_engine.workflow.plan_campaign import ModelEvidence, allocation_rows, explore
from incentive_engine.workflow.write_run import write_run

if TYPE_CHECKING:
    import pandas as pd

    from incentive_engine.library.model import UpliftModel


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Plan:
    """One offer or none for each user, and the proof of how good that is; made by `allocate`.

    Attributes
    ----------
    stated
        What was asked about which users.
    solved
        The solver's answer.
    written
        The policy as it was given, without the options.
    options
        What the arguments changed in it.
    """

    stated: StatedProblem
    solved: Allocation
    written: Policy
    options: BudgetOptions

    @property
    def policy(self) -> Policy:
        """The policy as it was planned: with the budget and the other options."""
        return self.stated.policy

    @property
    def certificate(self) -> Certificate:
        """What is proven: value, bound, gap, and every limit's usage, price and slack."""
        return self.solved.certificate

    @cached_property
    def frozen(self) -> FrozenPolicy:
        """What the policy means for one user, for `decide`."""
        return freeze_policy(self.policy, self.stated.table, self.stated.holdout)

    @cached_property
    def prices(self) -> Prices:
        """Limit to the value given up per unit of it, signed as in the certificate; version 0."""
        return freeze_prices(self.stated.problem, self.solved, self.frozen)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per user, in the order of the scores: the columns of the run's file."""
        return self._frame.copy()

    @cached_property
    def _frame(self) -> pd.DataFrame:
        rows = allocation_rows(self.stated, self.solved)
        return to_frame(allocation_table(rows, slice(0, self.certificate.users)))

    def save(
        self,
        directory: str | Path,
        *,
        model: UpliftModel | None = None,
        author: str | None = None,
        lang: Code = "en",
    ) -> Path:
        """Write a run directory, which `verify` checks and `export` takes further.

        Parameters
        ----------
        model
            What the scores come from; the report then states the gain by its trial.
        author
            Who plans; left out, the policy's author, or who runs the program.
        lang
            Of the report.

        Raises
        ------
        DataError
            When the directory exists or cannot be written, or the model's trial did not try the
            plan's offers.
        """
        path, steps = Path(directory), Steps()
        refuse_existing(path, where="directory")
        findings = explore(
            self.stated, plan=self.solved, evidence=_evidence(model, self.policy), steps=steps
        )
        origin = Origin(
            policy=with_options(self.written, self.options),
            policy_text=written_policy(self.written.model_dump(mode="json")),
            options=self.options,
            author=author,
        )
        write_run(path, findings, origin=origin, steps=steps, lang=lang)
        return path

    @property
    def _costs(self) -> str:
        correction = self.stated.correction
        if correction == CostCorrection():
            return "as forecast"
        return f"as forecast {correction.factor - 1:+.1%}, by the trial"

    def __repr__(self) -> str:
        proof = self.certificate
        return (
            f"Plan({proof.users:,} users × {len(self.policy.offers)} offers; "
            f"{proof.treated:,} treated, value {proof.value:,.4g}, gap {proof.gap:.1e})"
        )

    def _repr_html_(self) -> str:
        rows = allocation_rows(self.stated, self.solved)
        counts = np.bincount(rows.choice[rows.choice >= 0], minlength=len(rows.offers))
        money = np.bincount(
            rows.choice[rows.choice >= 0],
            weights=rows.cost_micros[rows.choice >= 0] / 1e6,
            minlength=len(rows.offers),
        )
        lines = [
            [offer, f"{count:,}", number(float(cost))]
            for offer, count, cost in zip(rows.offers, counts, money, strict=True)
        ]
        budget = self.certificate.budget
        pairs = [
            ("users", f"{self.certificate.users:,}"),
            ("treated", f"{self.certificate.treated:,}"),
            ("budget", f"{number(budget.amount)} {self.policy.currency} ({budget.basis})"),
            ("spent", number(budget.spent)),
            ("costs", self._costs),
            ("value", number(self.certificate.value)),
            ("gap", f"{self.certificate.gap:.1e}"),
        ]
        return facts(f"Plan: {self.policy.name}", pairs) + grid(["offer", "users", "cost"], lines)


def allocate(
    scores: ScoreTable,
    policy: Policy,
    *,
    budget: Amount | None = None,
    basis: str | None = None,
    confidence: float | None = None,
    min_roi: float | None = None,
    min_marginal_roi: float | None = None,
    model: UpliftModel | None = None,
) -> Plan:
    """Return the plan that decides one offer or none for each user.

    Parameters
    ----------
    budget
        The pool: a number of currency units, or text such as 200k; left out, the policy's.
    basis
        `expected`, `face` or `at-risk`: what must fit into the budget.
    confidence
        For at-risk: the probability that redemption stays within the amount.
    min_roi, min_marginal_roi
        Incremental spend per unit of cost, at least: of all the money, and of the last of it.
    model
        What the scores come from: costs are then corrected by what its trial says of the plan, as
        the command `allocate` does; left out, they are as forecast.

    Raises
    ------
    ConfigError
        With every argument and limit that cannot be.
    DataError
        When the scores were made for another policy, or the model's trial did not try the plan's
        offers.
    InfeasibleError
        When no plan meets all limits; it names them, and the cheapest way out.
    """
    with named_by_argument():
        options = options_of(
            budget=budget, basis=basis, confidence=confidence, min_roi=min_roi,
            min_marginal_roi=min_marginal_roi,
        )  # fmt: skip
        require_budget(policy, options)
        planned = with_options(policy, options)
        check_scores(scores, planned)
        evidence = _evidence(model, planned)
        stated = state_problem(planned, scores, options=options, quality=evidence.quality)
        solved = None
        if evidence.valued is not None:
            stated, solved = by_the_trial(
                stated, planned, evidence.valued(), options=options, quality=evidence.quality
            )
        return Plan(
            stated=stated, solved=solved or solve(stated.problem), written=policy,
            options=options,
        )  # fmt: skip


def _evidence(model: UpliftModel | None, policy: Policy) -> ModelEvidence:
    if model is None:
        return ModelEvidence()
    model.check_policy(policy)
    return ModelEvidence(
        valued=lambda: value_trial(model.trial, model.fitted.out_of_fold, policy),
        quality=model.quality,
    )


def response_curve(scores: ScoreTable, policy: Policy, budgets: Sequence[Amount]) -> pd.DataFrame:
    """Return what the best plan brings at each of some budgets; the last users may be split.

    Parameters
    ----------
    budgets
        At least one, each as of `allocate`.

    Returns
    -------
    One row per budget, in the order given: `budget`, `value`, `spent` (in the budget's basis),
    `treated` (users), `price` (value of one more currency unit); NaN where no plan keeps all
    limits.

    Raises
    ------
    ConfigError
        When an amount is none, or a limit cannot be stated.
    DataError
        When the scores were made for another policy.
    """
    import pandas as pd

    with named_by_argument():
        amounts = [_amount(budget) for budget in budgets]
        if not amounts:
            raise ConfigError(Fault("budgets", "there is none", "at least one amount"))
        check_scores(scores, policy)
        policies = {amount: policy.with_budget(amount=amount) for amount in amounts}
        largest = policies[max(amounts)]
        problem = build_problem(largest, scores, holdout_of(largest, scores))
        problems = [with_budget_of(problem, policies[amount]) for amount in sorted(policies)]
        points = Curve(problem, measures_of(scores)).points(problems)
    by_amount = dict(zip(sorted(policies), points, strict=True))
    rows = []
    for amount in amounts:
        point = by_amount[amount]
        figures = (point.value, point.used, point.treated, point.price)
        shown = figures if point.feasible else (np.nan,) * 4
        names = ("value", "spent", "treated", "price")
        rows.append({"budget": amount, **dict(zip(names, shown, strict=True))})
    return pd.DataFrame(rows)


def _amount(budget: Amount) -> float:
    try:
        return float(parse_amount(amount_text(budget, "budgets")))
    except ValueError as error:
        raise ConfigError(Fault("budgets", message_of(error), "amounts, each once")) from None
