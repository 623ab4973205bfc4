"""One user alone gets what the plan gave, but where whole offers settled a tie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.decisions.decision import OfferChoice, decide
from incentive_engine.allocation.decisions.freezing import freeze_policy
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.allocation.plans.allocation import Allocation
from incentive_engine.allocation.plans.per_user import margins, propensities, reasons
from incentive_engine.allocation.plans.plan import freeze_prices, solve
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.trials.holdout import draw_holdout, held_shares
from incentive_engine.domain import Reason
from incentive_engine.errors import DataError

OFFERS = ("off5", "off10", "vip20", "a30")


def rich_policy(**changes: Any) -> Policy:
    """Return a policy with every rule that looks at a user."""
    rules: dict[str, Any] = {
        "version": 1,
        "name": "rich",
        "offers": [
            {"id": offer, "face_value": face}
            for offer, face in zip(OFFERS, (5, 10, 20, 30), strict=True)
        ],
        "objective": {
            "maximise": {"conversion": 1, "spend": 0.002, "cost": -0.001},
            "weight": [
                {"column": "tier", "values": {"gold": 3, "silver": 1.5}},
                {"column": "past", "power": 0.25},
                {"column": "visits", "power": 0.5, "clip": [0.5, 2]},
            ],
        },
        "eligibility": [
            {"offers": ["vip20"], "where": {"tier": "gold"}},
            {"offers": ["a30", "vip20"], "where": {"age": {"at_least": 20, "below": 61.5}}},
        ],
        "limits": [
            {"name": "floor", "sum": "cost", "where": {"tier": "gold"}, "at_least": "20%"},
            {"name": "region cap", "sum": "cost", "for_each": "region", "at_most": "25%"},
            {"name": "by age", "sum": "issued", "for_each": "age", "at_most": 60},
            {"name": "stock", "sum": "issued", "offers": ["off10", "a30"], "at_most": 150},
            {"name": "roi", "ratio": ["spend", "cost"], "at_least": 0.5, "at_most": 9.0},
            {"name": "faces", "sum": "face", "where": {"member": True}, "at_most": 2000},
            {"name": "watch", "sum": "issued", "at_most": 10, "report_only": True},
        ],
        "budget": {"amount": 400},
        "holdout": 0.07,
        "holdout_strata": ["tier", "region"],
        "seed": 4,
    }
    return Policy.model_validate({**rules, **changes})


def people(n: int, *, seed: int, single: bool = False) -> pd.DataFrame:
    """Return n users with attributes of every kind, some of them missing, and their scores."""
    rng = np.random.default_rng(seed)
    past = np.where(rng.random(n) < 0.1, np.nan, rng.gamma(1.5, 200.0, n))
    frame = pd.DataFrame(
        {
            "user_id": [f"u{i}" for i in rng.permutation(n)],
            "tier": rng.choice(
                np.array(["gold", "silver", "none", None]), n, p=[0.1, 0.3, 0.5, 0.1]
            ),
            "region": rng.choice(np.array(["north", "south", None]), n, p=[0.5, 0.4, 0.1]),
            "age": np.where(rng.random(n) < 0.1, np.nan, rng.integers(15, 30, n)),
            "visits": rng.integers(0, 9, n),
            "past": past,
            "member": rng.random(n) < 0.4,
        }
    )
    base = rng.gamma(2.0, 0.02, n)
    for offer, face in zip(OFFERS, (5.0, 10.0, 20.0, 30.0), strict=True):
        gain = base * (1 - np.exp(-face / 20)) * rng.lognormal(0, 0.5, n) - 0.002
        cost = face * (0.03 + base) * rng.lognormal(0, 0.2, n)
        frame[f"conversion__{offer}"] = np.where(rng.random(n) < 0.05, np.nan, gain)
        frame[f"cost__{offer}"] = np.round(cost, 2) if offer == "off5" else cost
        frame[f"spend__{offer}"] = gain * rng.lognormal(4.5, 0.5, n)
    if single:
        kinds = dict.fromkeys(frame.select_dtypes("float64").columns, np.float32)
        frame = frame.astype(kinds)
    return frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign:
    """A plan and all that one user's decision needs."""

    frame: pd.DataFrame
    table: ScoreTable
    plan: Allocation
    reason: np.typing.NDArray[np.int8]
    margin: np.typing.NDArray[np.float64]
    propensity: np.typing.NDArray[np.float64]
    frozen: FrozenPolicy
    prices: Prices

    @classmethod
    def of(cls, policy: Policy, frame: pd.DataFrame) -> Campaign:
        table = ScoreTable.from_frame(frame, policy)
        strata = table.attributes.select(policy.holdout_strata)
        holdout = draw_holdout(
            table.user_id, strata, share=policy.holdout or 0.0, seed=policy.seed
        )
        problem = build_problem(policy, table, holdout)
        plan = solve(problem)
        frozen = freeze_policy(policy, table, holdout)
        return cls(
            frame=frame,
            table=table,
            plan=plan,
            reason=reasons(problem, plan.choice),
            propensity=propensities(problem, held_shares(strata, holdout)),
            margin=margins(problem, plan.choice, plan.prices),
            frozen=frozen,
            prices=freeze_prices(problem, plan, frozen),
        )

    def decisions(self, rows: list[int]) -> list[OfferChoice]:
        """Return the decisions about some rows, each made alone."""
        return [decide(user, self.frozen, self.prices) for user in self.users(rows)]

    def users(self, rows: list[int]) -> list[User]:
        """Return the users of some rows."""
        names = list(self.frame.columns)
        return [
            User.from_row(dict(zip(names, row, strict=True)), self.frozen)
            for row in self.frame.iloc[rows].itertuples(index=False)
        ]


def exactly_one() -> Policy:
    """Return the policy that gives everybody an offer, without what forbids that."""
    limits = [{"name": "stock", "sum": "issued", "offers": ["off10"], "at_most": 300}]
    return rich_policy(assignment="exactly_one", limits=limits, budget=None, eligibility=[])


PARTS = [
    {"name": "golden", "sum": "cost", "where": {"tier": "gold"}, "at_least": "35% of spent"},
    {"name": "regions", "sum": "face", "for_each": "region", "at_most": "55% of spent",
     "at_least": "10% of spent"},
    {"name": "deep", "sum": "issued", "offers": ["a30"], "where": {"member": True},
     "at_most": "4% of spent"},
]  # fmt: skip
"""Limits that are shares of what the plan adds up to."""

CASES = {
    "parts": (rich_policy(limits=PARTS), people(900, seed=7)),
    "rich": (rich_policy(), people(900, seed=1)),
    "single": (rich_policy(), people(900, seed=2, single=True)),
    "single alone": (
        rich_policy(objective={"maximise": "conversion"}, limits=[]),
        people(900, seed=3, single=True),
    ),
    "face": (
        rich_policy(
            budget={"amount": 500, "basis": "face"},
            limits=[{"name": "region cap", "sum": "face", "for_each": "region", "at_most": "40%"}],
        ),
        people(900, seed=4),
    ),
    "at risk": (rich_policy(budget={"amount": 400, "basis": "at-risk"}), people(900, seed=5)),
    "exploring": (rich_policy(explore=0.1, budget={"amount": 600}), people(900, seed=8)),
    "exploring parts": (rich_policy(explore=0.05, limits=PARTS), people(900, seed=9)),
    "exploring at risk": (
        rich_policy(explore=0.1, budget={"amount": 600, "basis": "at-risk"}),
        people(900, seed=10),
    ),
    "exploring one": (
        exactly_one().model_copy(update={"explore": 0.1}),
        people(900, seed=6).fillna({"conversion__off5": 0.01}),
    ),
    "one": (exactly_one(), people(900, seed=6).fillna({"conversion__off5": 0.01})),
}


@pytest.fixture(scope="module", params=CASES)
def campaign(request: pytest.FixtureRequest) -> Campaign:
    """Return a solved campaign."""
    return Campaign.of(*CASES[request.param])


def test_users_decided_alone_in_any_order_get_what_the_plan_gave_but_for_counted_ties(
    campaign: Campaign,
) -> None:
    order = np.random.default_rng(0).permutation(len(campaign.frame)).tolist()
    decided = dict(zip(order, campaign.decisions(order), strict=True))
    offers, differ = campaign.table.offers, []
    for row, chosen in enumerate(campaign.plan.choice.tolist()):
        choice = decided[row]
        if choice.offer_id != (offers[chosen] if chosen >= 0 else None):
            differ.append(row)
            continue
        assert choice.reason == [*Reason][campaign.reason[row]]
        assert choice.cost_micros == campaign.plan.cost_micros[row]
        assert choice.propensity == campaign.propensity[row]
    assert len(differ) == campaign.prices.settled < 60
    assert np.all(campaign.margin[differ] <= 0)


def test_the_holdout_of_the_plan_and_no_one_else_is_held_out(campaign: Campaign) -> None:
    rows = list(range(len(campaign.frame)))
    held = [choice.reason == "holdout" for choice in campaign.decisions(rows)]
    assert held == [[*Reason][code] == "holdout" for code in campaign.reason]
    assert 40 < sum(held) < 90


def test_what_choices_use_adds_up_to_the_certificate(campaign: Campaign) -> None:
    rows = list(range(len(campaign.frame)))
    used: dict[str, float] = {}
    for row, choice in zip(rows, campaign.decisions(rows), strict=True):
        chosen = campaign.plan.choice[row]
        if chosen >= 0 and choice.offer_id == campaign.table.offers[chosen]:
            for name, amount in choice.usage.items():
                used[name] = used.get(name, 0.0) + amount
    if campaign.prices.settled:
        return
    for limit in campaign.plan.certificate.limits:
        if not limit.report_only and limit.ratio is None:
            assert used.get(limit.name, 0.0) == pytest.approx(limit.usage, rel=1e-9, abs=1e-9)


def test_a_frozen_policy_and_its_prices_are_the_same_after_a_file(campaign: Campaign) -> None:
    written = json.loads(json.dumps(campaign.frozen.to_dict()))
    read = FrozenPolicy.from_dict(written)
    priced = Prices.from_dict(json.loads(json.dumps(campaign.prices.to_dict())))
    assert read.digest == campaign.frozen.digest == priced.policy
    alone = [decide(user, read, priced) for user in campaign.users(list(range(200)))]
    assert alone == campaign.decisions(list(range(200)))


def some_user() -> tuple[User, Campaign]:
    campaign = Campaign.of(*CASES["rich"])
    return campaign.users([0])[0], campaign


def test_bad_users_and_prices_of_another_policy_are_refused() -> None:
    user, campaign = some_user()
    frozen, prices = campaign.frozen, campaign.prices
    other = Prices(policy="another", by_limit=prices.by_limit)
    with pytest.raises(DataError, match="prices: they belong to another policy"):
        decide(user, frozen, other)
    with pytest.raises(DataError, match=r"user: columns are missing: tier"):
        User.from_row({"user_id": "u1"}, frozen)
    lacking = {**user.attributes}
    del lacking["tier"]
    bad = [
        (User(user_id="u", attributes=lacking, measures=user.measures), "tier: the attribute"),
        (
            User(user_id="u", attributes={**user.attributes, "tier": 5}, measures=user.measures),
            "tier: the attribute is of another kind, expected text",
        ),
        (User(user_id="u", attributes=user.attributes, measures={}), "measures are missing"),
        (
            User(
                user_id="u",
                attributes=user.attributes,
                measures={**user.measures, "cost": [-1.0] * 4},
            ),
            "cost: -1 is no valid amount",
        ),
    ]
    for one, said in bad:
        with pytest.raises(DataError, match=said):
            decide(one, frozen, prices)


def test_a_price_of_costs_decides_as_that_of_a_budget_of_costs_and_survives_a_file() -> None:
    campaign = Campaign.of(*CASES["rich"])
    free = dict.fromkeys(campaign.prices.by_limit, 0.0)
    of_budget = campaign.prices.next(free | {"budget": 0.02})
    of_costs = campaign.prices.next(free | {Prices.COSTS: 0.02})
    assert (of_costs.per_cost, of_costs.by_limit) == (0.02, free)
    read = Prices.from_dict(json.loads(json.dumps(of_costs.to_dict())))
    assert read.by_name() == of_costs.by_name()
    users = campaign.users(list(range(len(campaign.frame))))
    offers = [decide(user, campaign.frozen, of_budget).offer_id for user in users]
    assert [decide(user, campaign.frozen, read).offer_id for user in users] == offers
    assert offers != [
        decide(user, campaign.frozen, campaign.prices.next(free)).offer_id for user in users
    ]


def test_new_prices_have_the_next_number_and_change_choices() -> None:
    user, campaign = some_user()
    dear = campaign.prices.next(dict.fromkeys(campaign.prices.by_limit, 0.0) | {"budget": 1e9})
    assert (campaign.prices.version, dear.version, dear.settled) == (0, 1, 0)
    assert decide(user, campaign.frozen, dear).offer_id is None
    with pytest.raises(DataError, match="it is broken"):
        Prices.from_dict({"version": 1})
    with pytest.raises(DataError, match="the format is 7"):
        FrozenPolicy.from_dict({"format": 7})
