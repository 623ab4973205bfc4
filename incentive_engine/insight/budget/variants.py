"""The campaigns that `whatif` compares: the policy as written, and with changed settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from incentive_engine.config.amounts import parse_amounts
from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.budget.policy_options import BudgetOptions, with_options
from incentive_engine.language import message_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignVariant:
    """One campaign to look at.

    Attributes
    ----------
    name
        How tables call it.
    settings
        What is changed in the policy, as KEY=VALUE.
    policy
        With the changes, and the largest of the budgets.
    """

    BASE: ClassVar[str] = "base"
    """The name of the policy as it is written."""

    name: str
    settings: tuple[str, ...]
    policy: Policy


def read_budgets(text: str) -> tuple[float, ...]:
    """Return the amounts of `--budgets`.

    Raises
    ------
    ConfigError
        When they cannot be read.
    """
    try:
        return parse_amounts(text)
    except ValueError as error:
        raise ConfigError(
            Fault("--budgets", message_of(error), "amounts such as 100k,200k")
        ) from None


def read_variants(
    file: Path,
    budgets: Sequence[float],
    *,
    settings: Sequence[str],
    named: Sequence[str],
    options: BudgetOptions,
    with_scores: bool,
) -> tuple[CampaignVariant, ...]:
    """Return the policy as it is written, and each variant of it.

    Parameters
    ----------
    settings
        The values of `--set`, which form one variant together.
    named
        The values of `--variant`, each ``NAME:KEY=VALUE,…``.
    with_scores
        Scores are given, so the policy's own data need not exist.

    Raises
    ------
    ConfigError
        With every problem of the file and of the options.
    """
    faults: list[Fault] = []
    variants: list[CampaignVariant] = []
    asked = {CampaignVariant.BASE: (), **_named(settings, named)}
    for name, changes in asked.items():
        try:
            policy = load_policy(
                file,
                set_values=(f"budget.amount={budgets[-1]!r}", *changes),
                require_data=not with_scores,
            )
            policy = with_options(policy, options)
        except ConfigError as error:
            faults.extend(fault for fault in error.faults if fault not in faults)
            continue
        variants.append(CampaignVariant(name=name, settings=changes, policy=policy))
    if faults:
        raise ConfigError(*faults)
    return tuple(variants)


def _named(settings: Sequence[str], named: Sequence[str]) -> dict[str, tuple[str, ...]]:
    variants: dict[str, tuple[str, ...]] = {}
    for name, changes in [*_of_options(named), *_of_settings(settings)]:
        if name in variants or name == CampaignVariant.BASE:
            raise ConfigError(Fault(f"--variant {name}", "the name is taken", "another name"))
        if amounts := [change for change in changes if change.startswith("budget.amount")]:
            raise ConfigError(
                Fault(f"--set {amounts[0]}", "budgets are compared", "", "use --budgets")
            )
        variants[name] = changes
    return variants


def _of_settings(settings: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if settings:
        yield ", ".join(settings), tuple(settings)


def _of_options(named: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in named:
        name, colon, changes = text.partition(":")
        if not colon or not name.strip() or "=" in name or not changes.strip():
            raise ConfigError(
                Fault(f"--variant {text}", "no name or no setting", "NAME:KEY=VALUE,KEY=VALUE")
            )
        yield name.strip(), tuple(_settings(changes))


def _settings(text: str) -> list[str]:
    """Return the settings of a variant, KEY=VALUE each.

    A comma separates two where a KEY= follows; commas within brackets belong to a name or a list.

    >>> _settings("holdout=0.02,limits[stock, deep].at_most=100,features.deny=[a,b]")
    ['holdout=0.02', 'limits[stock, deep].at_most=100', 'features.deny=[a,b]']
    """
    pieces, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += letter
    settings: list[str] = []
    for piece in pieces:
        if "=" in piece or not settings:
            settings.append(piece)
        else:
            settings[-1] += f",{piece}"
    return [setting.strip() for setting in settings]
