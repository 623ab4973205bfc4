"""Checks of allocation.parquet, user by user, one block of rows after the other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.measures import Measures
from incentive_engine.data.hashing import repeated
from incentive_engine.data.tables.arrow import as_numpy, is_missing, is_text
from incentive_engine.domain import MICROS, BoolArray, FloatArray, Reason
from incentive_engine.language import Message, say
from incentive_engine.verify.user_margins import check_margin

from .files import StatedRun
from .recomputed.arithmetic import agree
from .recomputed.blocks import Block
from .recomputed.pairs import BlockReplay
from .recomputed.sums import Sums
from .recomputed.users import read_ids
from .result import Check, CheckFindings


def check_users(run: StatedRun, users: pa.Table) -> Check:
    """Check that every user of the score table, as `read_users`, stands once, in its order."""
    findings = CheckFindings("users", "every user of scores.parquet stands once, in its order")
    stated, expected = read_ids(run.directory / "allocation.parquet"), users["user_id"].chunk(0)
    for name, ids in (("allocation.parquet", stated), ("scores.parquet", expected)):
        findings.add_rows(_is_nobody(ids), say("{name} has no user_id", name=name))
    # who has no id cannot be compared with anybody
    if expected.null_count:
        return findings.check()
    findings.add_rows(repeated(expected), "scores.parquet repeats a user")
    if stated.type != expected.type:
        findings.add(
            say(
                "user_id is {stated} in the allocation, {known} in the scores",
                stated=stated.type,
                known=expected.type,
            )
        )
    elif len(stated) != len(expected):
        findings.add(
            say(
                "the allocation has {stated:,} rows, the scores {known:,}",
                stated=len(stated),
                known=len(expected),
            )
        )
    elif not stated.equals(expected):
        findings.add_rows(repeated(stated), "allocation.parquet repeats a user")
        differs = np.array([a != b for a, b in zip(stated, expected, strict=True)])
        findings.add_rows(differs, "the user is not the one of the same row of the scores")
    return findings.check()


def _is_nobody(ids: pa.Array) -> BoolArray:
    """Return (n,) bool where there is no id."""
    missing = is_missing(ids)
    if is_text(ids.type):
        missing |= as_numpy(pc.binary_length(ids)) == 0
    return missing


class ChoiceChecks:
    """What is off in the rows that were looked at."""

    def __init__(self, policy: Policy) -> None:
        self.forced = policy.assignment == "exactly_one"
        forced = "exactly_one: each user outside the holdout has an offer"
        # the checks of rows, in the order in which they are told
        what = {
            "scores": "every score can be planned with",
            "offers": "every offer is one of the policy's",
            "eligibility": "nobody gets an offer that rules or missing scores forbid",
            "holdout": "the holdout equals its keyed draw, and none of it has an offer",
            "exploring": "who explores, the arm and every propensity equal their keyed draws",
            "assignment": "each user has at most one offer",
            "measures": "conversion, spend and weight are those of scores and policy",
            "cost": "cost_micros is the chosen pair's cost, rounded up to a millionth",
            "reasons": "every reason is the one that follows from the scores",
            "margins": "each choice is so far ahead of the next one at the stated prices",
        }
        if self.forced:
            what["assignment"] = forced
        self.found = {name: CheckFindings(name, text) for name, text in what.items()}
        self.states_spend = False

    def look(self, block: Block, truth: BlockReplay) -> None:
        """Check the rows of a block."""
        first = block.rows.start
        for check, problem, wrong in (
            *_offers(block, truth),
            *_holdout(block, truth),
            *_exploring(block, truth),
            *_measures(block, truth),
            *_cost(block, truth),
            *_reasons(block, truth),
        ):
            self.found[check].add_rows(wrong, problem, start=first)
        if self.forced:
            without = (block.choice == -1) & ~truth.holdout
            self.found["assignment"].add_rows(without, "the user has no offer", start=first)
        check_margin(block, truth, self.found["margins"])
        self.states_spend |= not np.isnan(block.spend).all()

    def join(self, later: ChoiceChecks, *, start: int) -> None:
        """Take what was found in later rows, whose first one is row `start`."""
        for name, findings in later.found.items():
            self.found[name].join(findings, start=start)
        self.states_spend |= later.states_spend

    def checks(self, run: StatedRun, sums: Sums) -> tuple[Check, ...]:
        """Return the checks once all rows were looked at."""
        for problem, count in sums.bad_scores.items():
            self.found["scores"].add(
                say("scores.parquet has {count:,} {problem}", count=count, problem=problem)
            )
        if sums.dearest > Measures.LARGEST_TOTAL:
            self.found["scores"].add("the costs of all users are too large to be summed")
        users = run.manifest.holdout.users
        if users != sums.held:
            drawn = say(
                "the draw has {held} users, manifest.json {users}", users=users, held=sums.held
            )
            self.found["holdout"].add(drawn)
        users = run.manifest.explored.users
        if users != sums.explorers:
            number = sums.explorers
            drawn = say(
                "the draw has {held} users, manifest.json {users}", users=users, held=number
            )
            self.found["exploring"].add(drawn)
        if sums.spend is None and self.states_spend:
            self.found["measures"].add("spend is stated, but scores.parquet has none")
        return tuple(findings.check() for findings in self.found.values())


Problem = tuple[str, Message, BoolArray]
"""The check, what is off, and (b,) bool the rows."""


def _offers(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    return (
        ("offers", say("the offer is unknown to the policy"), block.choice == -2),
        ("eligibility", say("the eligibility rules forbid the offer"), truth.refused),
        ("eligibility", say("a score of the offer is missing (NaN)"), truth.missing),
    )


def _holdout(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    stated, drawn = block.reason == [*Reason].index(Reason.HOLDOUT), truth.holdout
    return (
        ("holdout", say("a user of the holdout has an offer"), drawn & (block.choice != -1)),
        ("holdout", say("a user drawn for the holdout has another reason"), drawn & ~stated),
        ("holdout", say("the reason is holdout, the draw says otherwise"), stated & ~drawn),
    )


def _exploring(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    other = truth.explores & (block.choice != truth.lot)
    differs = _differs(block.propensity, truth.propensity)
    return (
        ("exploring", say("a user who explores has another arm than the lot drew"), other),
        ("exploring", say("propensity differs"), differs),
    )


def _measures(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    problems = [
        ("measures", say("conversion differs"), _differs(block.conversion, truth.conversion)),
        ("measures", say("weight differs"), _differs(block.weight, truth.weight)),
    ]
    if truth.spend is not None:
        problems.append(("measures", say("spend differs"), _differs(block.spend, truth.spend)))
    return tuple(problems)


def _cost(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    # one division of an integer: both sides round it alike, so that no tolerance is needed
    in_currency = block.cost_micros / MICROS
    return (
        ("cost", say("cost_micros differs"), block.cost_micros != truth.cost_micros),
        ("cost", say("cost is not cost_micros in currency units"), block.cost != in_currency),
    )


def _reasons(block: Block, truth: BlockReplay) -> tuple[Problem, ...]:
    expected = np.select(
        [
            truth.holdout,
            truth.explores & (block.choice == -1),
            ~truth.has_eligible,
            block.choice != -1,
            ~truth.has_gain,
        ],
        [
            [*Reason].index(reason)
            for reason in (
                Reason.HOLDOUT,
                Reason.EXPLORED,
                Reason.INELIGIBLE,
                Reason.OFFERED,
                Reason.NO_GAIN,
            )
        ],
        default=[*Reason].index(Reason.PRICED_OUT),
    )
    wrong = block.reason != expected
    stated = (
        (
            "reasons",
            say("the reason is {reason}, other than what follows", reason=str(reason)),
            wrong & (block.reason == place),
        )
        for place, reason in enumerate(Reason)
    )
    return (*stated, ("reasons", say("the reason is unknown"), block.reason < 0))


def _differs(stated: FloatArray, expected: FloatArray) -> BoolArray:
    return ~agree(stated, expected, scale=np.abs(expected))
