"""A scenario as written, and one variant per value of its sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.document.editing import flow_text
from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.fields import Scalar
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import EXPLORING, Scenario, World, load_scenario
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import say
from incentive_engine.synthetic.sample import MARKETS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepVariant:
    """A scenario and its policy, with one value of the sweep."""

    scenario: Scenario
    policy: Policy
    value: str | int | float | bool | None = None
    """None is the scenario as it was written."""


def read_variants(
    scenario_file: Path, *, set_values: Sequence[str] = ()
) -> tuple[SweepVariant, ...]:
    """Return the scenario as written and one variant per value of its sweep, all checked.

    Parameters
    ----------
    scenario_file
        The YAML file.
    set_values
        Changes of it, as ``KEY=VALUE``.

    Raises
    ------
    ConfigError
        With every problem.
    """
    scenario = load_scenario(scenario_file, set_values=set_values)
    swept = scenario.sweep.values if scenario.sweep else ()
    variants: list[SweepVariant] = []
    faults: list[Fault] = []
    for value in (None, *swept):
        try:
            variants.append(_variant(scenario_file, scenario, value=value, set_values=set_values))
        except ConfigError as error:
            faults.extend(error.faults)
    if faults:
        raise ConfigError(*dict.fromkeys(faults))
    return tuple(variants)


def _variant(
    file: Path, scenario: Scenario, *, value: Scalar | None, set_values: Sequence[str]
) -> SweepVariant:
    settings = list(scenario.policy_settings)
    if value is not None and scenario.sweep is not None:
        setting = scenario.sweep.setting
        # what begins so is the policy's; the rest is the scenario's own
        key = setting.removeprefix("policy.")
        if key != setting:
            settings.append(f"{key}={flow_text(value)}")
        else:
            scenario = load_scenario(
                file, set_values=[*set_values, f"{setting}={flow_text(value)}"]
            )
    in_world = scenario.source == "world"
    policy = load_policy(scenario.policy, set_values=settings, require_data=not in_world)
    policy = policy.with_budget(amount=scenario.budgets[-1])
    if EXPLORING in scenario.strategies and not policy.explore:
        place = ("strategies", scenario.strategies.index(EXPLORING))
        what = say("`{name}` learns from users who explore, and nobody does", name=EXPLORING)
        remedy = "add `explore: 5%` to the policy, or below `set`"
        raise ConfigError(Fault(scenario.locate(place), what, remedy=remedy))
    if in_world:
        check_offers(policy, scenario.world or World(), where=scenario.locate(("policy",)))
    return SweepVariant(scenario=scenario, policy=policy, value=value)


def check_offers(policy: Policy, world: World, *, where: str) -> None:
    """Refuse a policy whose offers the market does not have.

    Raises
    ------
    ConfigError
        With every offer that the market lacks, or has in another form.
    """
    offers = {offer.id: offer for offer in MARKETS[world.market].offers}
    faults = []
    for offer in policy.offers:
        same = offers.get(offer.id)
        if same is None:
            what = say(
                "the trial of the market `{market}` has no offer `{id}`",
                market=world.market,
                id=offer.id,
            )
            faults.append(Fault(where, what, remedy=nearest(offer.id, offers)))
        elif (offer.face_value, offer.min_spend) != (same.face_value, same.min_spend):
            what = say(
                "the offer `{id}` differs from the one of the market `{market}`",
                id=offer.id,
                market=world.market,
            )
            expected = say(
                "face_value {face_value:g}, min_spend {value:g}",
                face_value=same.face_value,
                value=same.min_spend or 0,
            )
            faults.append(Fault(where, what, expected))
    if faults:
        raise ConfigError(*faults)
