"""Checks of each user's margin, and of the smallest budget that reaches the user."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import BUDGET, MICROS, BoolArray, FloatArray, IntArray
from incentive_engine.verify.recomputed.arithmetic import RELATIVE, running_totals
from incentive_engine.verify.recomputed.blocks import Block
from incentive_engine.verify.recomputed.pairs import BlockReplay, OfferedPairs
from incentive_engine.verify.recomputed.rules import Rules
from incentive_engine.verify.result import Check, CheckFindings


def check_margin(block: Block, truth: BlockReplay, findings: CheckFindings) -> None:
    """Note the rows whose margin is not the choice's lead over the best other one."""
    # −inf less −inf is NaN where a user has neither a choice nor another one: no lead
    with np.errstate(invalid="ignore"):
        lead = truth.own - truth.other
    none = ~np.isfinite(lead) | truth.holdout
    off = np.abs(block.margin - np.where(none, 0.0, lead)) > RELATIVE * truth.largest
    wrong = np.where(none, ~np.isnan(block.margin), off | np.isnan(block.margin))
    findings.add_rows(wrong, "margin differs", start=block.rows.start)


class SmallestBudgets:
    """Collects every user's efficient steps, and what is stated of the budgets that they need.

    Where money alone is limited, a user is reached by the money of all steps, of all users, that
    bring more per money than the user's first one, and that of the cheapest offer as steep.
    """

    NEVER: ClassVar = -1.0
    """The slope of a user whom no budget reaches."""

    def __init__(self, rules: Rules) -> None:
        budget = rules.policy.budget
        enforced = [name for x in rules.groups if not x.report_only for name in x.names]
        money_alone = budget is not None and budget.basis != "at-risk" and enforced == [BUDGET]
        by_price = rules.policy.assignment == "at_most_one" and not rules.policy.explore
        self.known = money_alone and by_price
        self.by_face = budget is not None and budget.basis == "face"
        self.found = CheckFindings("smallest budgets", "each user is reached by the stated budget")
        self.stated: list[FloatArray] = []
        self.slopes: list[FloatArray] = []
        self.money: list[IntArray] = []
        self.first: list[FloatArray] = []

    def look(self, block: Block, pairs: list[OfferedPairs]) -> None:
        """Take a block."""
        if self.known:
            self.stated.append(block.smallest_budget)
            value = np.stack([np.where(each.eligible, each.value, -np.inf) for each in pairs])
            money = np.stack([self._money(each) for each in pairs])
            self._add(value, money)
        else:
            wrong, start = ~np.isnan(block.smallest_budget), block.rows.start
            problem = "a smallest budget is stated, but money is not alone"
            self.found.add_rows(wrong, problem, start=start)

    def join(self, later: SmallestBudgets, *, start: int) -> None:
        """Take what was collected of later rows, whose first one is row `start`."""
        self.found.join(later.found, start=start)
        for own, more in (
            (self.stated, later.stated),
            (self.slopes, later.slopes),
            (self.first, later.first),
        ):
            own.extend(more)
        self.money.extend(later.money)

    def check(self) -> Check:
        """Return the check once all blocks were looked at."""
        if self.stated:
            off = self._off(np.concatenate(self.stated))
            self.found.add_rows(off, "the smallest budget differs")
        return self.found.check()

    def _money(self, pairs: OfferedPairs) -> FloatArray:
        if self.by_face:
            return np.full(len(pairs.value), float(pairs.face_micros))
        return pairs.cost_micros.astype(np.float64)

    def _add(self, value: FloatArray, money: FloatArray) -> None:
        """Add the steps along the upper hull of (money, value) of each user, (k, b)."""
        free = np.where((money == 0) & (value > 0), value, 0.0).max(axis=0)
        at_value, at_money = free, np.zeros(value.shape[1])
        first = np.full((2, value.shape[1]), self.NEVER)
        first[:, free > 0] = [[np.inf], [0.0]]
        for _ in range(len(value)):
            slope, step = _steepest(value - at_value, money - at_money)
            on = np.flatnonzero(slope > 0)
            if not len(on):
                break
            before = at_money[on]
            at_value, at_money = at_value.copy(), at_money.copy()
            at_value[on], at_money[on] = value[step[on], on], money[step[on], on]
            self.slopes.append(slope[on])
            self.money.append((at_money[on] - before).astype(np.int64))
            new = on[first[0, on] == self.NEVER]
            if len(new):
                # by a product, not a quotient: the money may be nothing
                as_steep = value[:, new] >= (1.0 - RELATIVE) * slope[new] * money[:, new]
                paid = np.where(as_steep & (money[:, new] > 0), money[:, new], np.inf)
                first[:, new] = slope[new], paid.min(axis=0)
        self.first.append(first)

    def _off(self, stated: FloatArray) -> BoolArray:
        """Return (n,) which budgets differ by more than the order of equal steps leaves open."""
        slopes = np.concatenate([np.empty(0), *self.slopes])
        # equal slopes may stand in any order: least and most allow for all of them
        order = np.argsort(slopes)
        paid = np.concatenate([np.empty(0, dtype=np.int64), *self.money])[order]
        # of this step and all steeper ones
        after = np.concatenate([running_totals(paid[::-1])[::-1], [0.0]])
        own, money = np.concatenate(self.first, axis=1)
        slopes = slopes[order]
        steeper = after[np.searchsorted(slopes, own * (1.0 + RELATIVE), side="right")]
        as_steep = after[np.searchsorted(slopes, own * (1.0 - RELATIVE), side="left")]
        least, most = (steeper + money) / MICROS, as_steep / MICROS
        room = 0.5 / MICROS + RELATIVE * np.abs(most)
        inside = (stated >= least - room) & (stated <= most + room)
        inside[own == np.inf] = stated[own == np.inf] == 0
        return np.where(own == self.NEVER, ~np.isnan(stated), ~inside)


def _steepest(more: FloatArray, dearer: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return (b,) the highest gain per money of a step, and the offer; the longest of equals."""
    able = (more > 0) & (dearer > 0)
    slope = np.divide(more, dearer, out=np.full(more.shape, -np.inf), where=able)
    best = slope.max(axis=0)
    longest = np.where(able & (slope == best), dearer, -np.inf)
    return best, longest.argmax(axis=0)
