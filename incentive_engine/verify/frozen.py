"""Checks of what a policy means for one user, and of the numbered prices that go with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pyarrow as pa
from pydantic import ValidationError

from incentive_engine.config.document.models import first_of
from incentive_engine.config.policy import Policy
from incentive_engine.data.tables.arrow import is_text, whole
from incentive_engine.data.trials.holdout import holdout_cutoffs
from incentive_engine.domain import SPEND
from incentive_engine.language import Text, say
from incentive_engine.run.format import RunFile
from incentive_engine.run.statements import StatedFrozenPolicy, StatedPrices

from .files import StatedRun
from .recomputed.arithmetic import agree
from .recomputed.rules import Rules
from .recomputed.sums import Sums
from .recomputed.users import grouped, median_of
from .result import Check, CheckFindings


def check_frozen(run: StatedRun, users: pa.Table, rules: Rules) -> Check:
    """Check that frozen_policy.json is what the policy means among these users.

    Parameters
    ----------
    users
        As `read_users`.
    """
    what = "what is frozen for decisions on one user is this policy among these users"
    findings = CheckFindings("frozen policy", what)
    stated = run.frozen
    known_format = 2
    if stated.format != known_format:
        findings.add(say("the format {format} is unknown", format=stated.format))
    for problem in (
        *_policy(run, stated),
        *_columns(run, users, rules, stated),
        *_medians(run.policy, users, stated),
        *_groups(run.policy, users, stated),
        *_holdout(run.policy, users, rules, stated),
        *_explored(rules, stated),
    ):
        findings.add(problem)
    return findings.check()


def check_numbered_prices(run: StatedRun, sums: Sums) -> Check:
    """Check that prices.json has the certificate's prices, for this frozen policy."""
    findings = CheckFindings(
        "numbered prices", "prices.json has the certificate's prices, as number 0"
    )
    stated = run.prices
    for problem in (*_prices(run, stated), *_settled(sums, stated)):
        findings.add(problem)
    return findings.check()


def _policy(run: StatedRun, stated: StatedFrozenPolicy) -> Iterator[Text]:
    try:
        policy = Policy.model_validate(stated.policy)
    except ValidationError as error:
        yield say("its policy is broken: {reason}", reason=first_of(error))
        return
    if policy.model_dump(mode="json") != run.policy.model_dump(mode="json"):
        yield say("its policy is not the manifest's")


def _columns(
    run: StatedRun, users: pa.Table, rules: Rules, stated: StatedFrozenPolicy
) -> Iterator[Text]:
    spend = (SPEND,) if rules.with_spend and SPEND not in rules.measures else ()
    if sorted(stated.measures) != sorted((*rules.measures, *spend)):
        yield say("its measures are {measures}", measures=tuple(stated.measures))
    kinds = {name: _kind(whole(users[name]).type) for name in run.policy.attribute_columns}
    if dict(stated.kinds) != kinds:
        yield say("what it says of the kinds of attributes is not so")


def _kind(kind: pa.DataType) -> str:
    if is_text(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number" if pa.types.is_float64(kind) else "single"
    return "time"


def _medians(policy: Policy, users: pa.Table, stated: StatedFrozenPolicy) -> Iterator[Text]:
    factors = policy.objective.weight
    if len(stated.medians) != len(factors):
        yield say(
            "it has {medians} medians for {factors} factors of the weight",
            medians=len(stated.medians),
            factors=len(factors),
        )
        return
    for factor, number in zip(factors, stated.medians, strict=True):
        expected = None if factor.power is None else median_of(whole(users[factor.column]))
        if number is None or expected is None:
            same = number is expected
        else:
            same = bool(agree(number, expected, scale=expected))
        if not same:
            yield say(
                "the median of `{column}` is {number}, recomputed {expected}",
                column=factor.column,
                number=number,
                expected=expected,
            )


def _groups(policy: Policy, users: pa.Table, stated: StatedFrozenPolicy) -> Iterator[Text]:
    expected = tuple(
        None
        if limit.for_each is None
        else tuple(map(str, grouped(whole(users[limit.for_each]))[1]))
        for limit in policy.limits
    )
    if stated.groups != expected:
        yield say("the values that `for_each` makes limits of are not those of the users")


def _holdout(
    policy: Policy, users: pa.Table, rules: Rules, stated: StatedFrozenPolicy
) -> Iterator[Text]:
    strata = users.select(list(policy.holdout_strata))
    drawn = (
        holdout_cutoffs(users["user_id"], strata, rules.holdout, seed=policy.seed)
        if policy.holdout
        else []
    )
    expected = {one.name: (one.highest, one.share) for one in drawn}
    written = {one.stratum: (one.highest, one.share) for one in stated.holdout}
    if written != expected or len(stated.holdout) != len(expected):
        yield say("the cut-offs of the holdout are not those of its draw")


def _explored(rules: Rules, stated: StatedFrozenPolicy) -> Iterator[Text]:
    if stated.explored != rules.lots.highest:
        yield say("the cut-off of who explores is not that of its draw")


def _prices(run: StatedRun, stated: StatedPrices) -> Iterator[Text]:
    content = json.loads((run.directory / RunFile.FROZEN_POLICY).read_text(encoding="utf-8"))
    # as the engine hashes it: keys in order, so that another layout of the file changes nothing
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    if stated.frozen_policy != hashlib.sha256(text.encode()).hexdigest():
        yield say("they belong to another frozen policy")
    if stated.version != 0:
        yield say("their number is {version}, a plan's is 0", version=stated.version)
    certified = {x.name: x.price for x in run.certificate.limits if x.price is not None}
    for name in sorted(certified.keys() | stated.prices.keys()):
        if stated.prices.get(name) != certified.get(name):
            here, there = stated.prices.get(name), certified.get(name)
            yield say(
                "`{name}` costs {here}, by the certificate {there}",
                name=name,
                here=here,
                there=there,
            )


def _settled(sums: Sums, stated: StatedPrices) -> Iterator[Text]:
    if not sums.settled_least <= stated.settled <= sums.settled_most:
        counted = f"{sums.settled_least:,} to {sums.settled_most:,}"
        yield say(
            "{settled:,} users are stated to depart from the prices, counted {counted}",
            settled=stated.settled,
            counted=counted,
        )
