"""A campaign in waves: users come, offers go out, lapse or are redeemed, and plans are renewed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from incentive_engine.config.schedule.campaign import Calendar, Wave
from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray, IntArray
from incentive_engine.simulation.figures import Course, WaveFigures
from incentive_engine.simulation.market.settlement import PotentialOutcomes
from incentive_engine.simulation.market.traffic import Arrivals, hours_between
from incentive_engine.simulation.strategy.planning import Plan, Situation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """When users come and when they would redeem; hours since the calendar's start.

    Attributes
    ----------
    arrivals
        Who comes when.
    redeemed : (n,) float64
        When the user would redeem an offer; infinite for users who never come.
    lapses : (n,) bool
        The offer lapses before.
    lapse_chance : (n,) float64
        The probability of that, given when the user comes.
    """

    arrivals: Arrivals
    redeemed: FloatArray
    lapses: BoolArray
    lapse_chance: FloatArray


def schedule(arrived: Arrivals, calendar: Calendar, delay: FloatArray) -> Schedule:
    """Return when users would redeem, and whose offers lapse.

    Parameters
    ----------
    arrived
        Who comes when; n users.
    calendar
        Says from when and for how long offers are valid.
    delay
        (n,) float64, exponential with mean 1.
    """
    start = calendar.waves[0].start
    opens, valid = np.zeros(len(delay)), np.full(len(delay), np.inf)
    for index, wave in enumerate(calendar.waves):
        mine = arrived.wave == index
        opens[mine] = hours_between(start, wave.redeem_from) if wave.redeem_from else 0.0
        valid[mine] = wave.valid_hours or np.inf
    ready = arrived.hour + delay * calendar.redemption_hours
    redeemed = np.maximum(ready, opens)
    ends = arrived.hour + valid
    mean = max(calendar.redemption_hours, 1e-9)
    chance = np.where(opens > ends, 1.0, np.exp(-valid / mean))
    here = np.isfinite(arrived.hour)
    return Schedule(
        arrivals=arrived,
        redeemed=redeemed,
        lapses=here & (redeemed > ends),
        lapse_chance=np.where(here, chance, 0.0),
    )


def run(
    plan: Plan,
    situation: Situation,
    *,
    calendar: Calendar,
    times: Schedule,
    outcomes: PotentialOutcomes,
    would: PotentialOutcomes,
) -> Course:
    """Hand out offers wave by wave.

    Parameters
    ----------
    plan
        The strategy; asked once, or before each wave.
    situation
        Before the first wave.
    calendar
        The waves.
    times
        When users come and redeem.
    outcomes
        What happens, with lapsed offers.
    would
        What would happen if none lapsed.
    """
    ledger = _Ledger(situation=situation, calendar=calendar, times=times, outcomes=outcomes)
    planned = plan(situation)
    figures = []
    for index, wave in enumerate(calendar.waves):
        if index and calendar.replan:
            planned = plan(ledger.situation_at(wave))
        before = ledger.choice.copy()
        turned_away = ledger.hand_out(index, wave, planned)
        figures.append(ledger.figures(index, before, turned_away=turned_away, would=would))
    return Course(choice=ledger.choice, waves=tuple(figures), dry_after=ledger.dry_after())


class _Ledger:
    """What has been handed out and paid so far."""

    def __init__(
        self,
        *,
        situation: Situation,
        calendar: Calendar,
        times: Schedule,
        outcomes: PotentialOutcomes,
    ) -> None:
        self.situation = situation
        self.calendar = calendar
        self.times = times
        self.outcomes = outcomes
        self.choice = np.full(len(situation.allowed), -1, dtype=np.int16)
        self.factor = 1.0

    def hand_out(self, index: int, wave: Wave, planned: ChoiceArray) -> int:
        """Hand out this wave's offers while the pool lasts; return how many were withheld."""
        start = self._hour(wave)
        cap = self.situation.budget * (1.0 if wave.release is None else wave.release)
        cap -= self._paid(start) + self._outstanding(start)
        arrived = self.times.arrivals
        mine = arrived.order[arrived.wave[arrived.order] == index]
        mine = mine[planned[mine] >= 0]
        charges = np.cumsum(self._charge(mine, planned[mine]))
        served = mine[: np.searchsorted(charges, cap * (1 + 1e-9), side="right")]
        self.choice[served] = planned[served]
        return len(mine) - len(served)

    def situation_at(self, wave: Wave) -> Situation:
        """Return what a planner knows at the start of a wave."""
        start = self._hour(wave)
        self.factor = self._observed_factor(start)
        left = self.situation.budget - self._paid(start) - self._outstanding(start)
        gone = self.times.arrivals.hour < start
        order = self.times.arrivals.order
        planner = self.situation.planner.after(self.choice, gone, cost_factor=self.factor)
        return replace(
            self.situation,
            budget=max(left, 0.0),
            allowed=self.situation.allowed & ~gone[:, None],
            charge=self.situation.charge * self.factor,
            order=order[~gone[order]],
            planner=planner,
        )

    def figures(
        self, index: int, before: ChoiceArray, *, turned_away: int, would: PotentialOutcomes
    ) -> WaveFigures:
        """Return the figures of a wave that is over."""
        new = np.flatnonzero((self.choice >= 0) & (before < 0))
        arm = self.choice[new].astype(np.int64) + 1
        charge = self._charge(new, self.choice[new])
        hour = self.times.arrivals.hour[new]
        first = hour < self._hour(self.calendar.waves[index]) + 1
        wasted = self.times.lapses[new] & (would.cost[new, arm] > 0)
        return WaveFigures(
            came=int((self.times.arrivals.wave == index).sum()),
            treated=len(new),
            turned_away=turned_away,
            lapsed=int(wasted.sum()),
            committed=float(charge.sum()),
            cost=float(self.outcomes.cost[new, arm].sum()),
            first_hour=float(charge[first].sum()) / self.situation.budget,
        )

    def dry_after(self) -> float:
        """Return when the pool was dry."""
        order = self.times.arrivals.order
        mine = order[self.choice[order] >= 0]
        spent = np.cumsum(self._charge(mine, self.choice[mine]))
        # a pool counts as dry when this share of it is committed
        dry = np.searchsorted(spent, 0.98 * self.situation.budget)
        return float(self.times.arrivals.hour[mine[dry]]) if dry < len(mine) else float("inf")

    def _hour(self, wave: Wave) -> float:
        return hours_between(self.calendar.waves[0].start, wave.start)

    def _charge(self, rows: IntArray, choice: ChoiceArray) -> FloatArray:
        return np.asarray(self.situation.charge[rows, choice] * self.factor)

    def _issued(self) -> IntArray:
        return np.flatnonzero(self.choice >= 0)

    def _paid(self, hour: float) -> float:
        """Return what has been redeemed by an hour."""
        rows = self._issued()
        rows = rows[self.times.redeemed[rows] <= hour]
        return float(self.outcomes.cost[rows, self.choice[rows].astype(np.int64) + 1].sum())

    def _outstanding(self, hour: float) -> float:
        """Return the forecast of what the offers that are out will still cost."""
        rows = self._issued()
        share = 1 - self._redeemed_share(rows, hour) - self._lapsed_share(rows, hour)
        return float((self._charge(rows, self.choice[rows]) * np.maximum(share, 0)).sum())

    def _observed_factor(self, hour: float) -> float:
        """Return redeemed over forecast money so far, drawn towards 1 while there is little."""
        if self.situation.by_face:
            return 1.0
        rows = self._issued()
        forecast = self.situation.charge[rows, self.choice[rows]] * self._redeemed_share(
            rows, hour
        )
        # how many redemptions' worth of money the forecast weighs against what is observed;
        # without it the first few redemptions would swing the plan
        prior = 50.0 * float(np.mean(self.situation.face))
        return (self._paid(hour) + prior) / (float(forecast.sum()) + prior)

    def _redeemed_share(self, rows: IntArray, hour: float) -> FloatArray:
        """Return by delay alone how much of its redemption each offer has behind it."""
        waves = self.calendar.waves
        opens = np.array(
            [hours_between(waves[0].start, w.redeem_from) if w.redeem_from else 0.0 for w in waves]
        )
        valid = np.array([w.valid_hours or np.inf for w in waves])
        wave, came = self.times.arrivals.wave[rows], self.times.arrivals.hour[rows]
        age = np.minimum(hour - came, valid[wave])
        mean = max(self.calendar.redemption_hours, 1e-9)
        return np.where(hour < opens[wave], 0.0, 1 - np.exp(-np.maximum(age, 0) / mean))

    def _lapsed_share(self, rows: IntArray, hour: float) -> FloatArray:
        """Return the share of each offer's redemption that can no longer happen."""
        valid = np.array([w.valid_hours or np.inf for w in self.calendar.waves])
        wave, came = self.times.arrivals.wave[rows], self.times.arrivals.hour[rows]
        over = hour - came > valid[wave]
        return np.where(over, 1 - self._redeemed_share(rows, hour), 0.0)
