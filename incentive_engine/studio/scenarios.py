"""Named settings of a policy, kept while the studio is open, to put side by side."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.planner.outlook import PlanOutlook
from incentive_engine.insight.value.plan_gain import PlanGain
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SavedScenario:
    """Settings with a name, and what they would bring.

    Attributes
    ----------
    text
        The policy.
    gain
        By the trial; None where there is none.
    """

    name: str
    text: str
    outlook: PlanOutlook
    gain: PlanGain | None


class Scenarios:
    """The scenarios of every policy that is open."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_policy: dict[str, dict[str, SavedScenario]] = {}
        self._lock = threading.Lock()

    def of(self, policy: str) -> tuple[SavedScenario, ...]:
        """Return a policy's scenarios in the order in which they were named."""
        with self._lock:
            return tuple(self._by_policy.get(policy, {}).values())

    def keep(self, policy: str, scenario: SavedScenario) -> None:
        """Keep a scenario, in place of one of its name.

        Raises
        ------
        ConfigError
            When there are too many.
        """
        # scenarios of a policy: more are not compared at a glance
        most = 12
        with self._lock:
            mine = self._by_policy.setdefault(policy, {})
            if scenario.name not in mine and len(mine) >= most:
                raise ConfigError(Fault(scenario.name, say("studio.many_scenarios", most=most)))
            mine[scenario.name] = scenario

    def drop(self, policy: str, name: str) -> None:
        """Forget a scenario."""
        with self._lock:
            self._by_policy.get(policy, {}).pop(name, None)
