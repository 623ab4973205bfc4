"""The watch: from a run and its ledger to findings, each with a key, a proposal and an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.plans.rule import plan_rule
from incentive_engine.data.scores import read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.holdout import strata_codes
from incentive_engine.data.trials.outcomes import Outcomes
from incentive_engine.domain import CONVERSION, COST, SPEND
from incentive_engine.live.actions import Change
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.ledger.records import Verb
from incentive_engine.live.repricing import Current
from incentive_engine.live.watch.checks.gain import gain
from incentive_engine.live.watch.checks.offers import offers
from incentive_engine.live.watch.checks.pools import pools
from incentive_engine.live.watch.checks.users import traffic, users
from incentive_engine.live.watch.expected import Expected
from incentive_engine.live.watch.finding import Finding, FindingAnswer
from incentive_engine.live.watch.look import Found, Look, Yardstick, name_of
from incentive_engine.live.watch.observed import Observed, read_observed
from incentive_engine.live.watch.params import WatchParams
from incentive_engine.live.watch.planner import RemainderPlanner
from incentive_engine.live.watch.proposals import propose
from incentive_engine.stats.holdout_effect import filled


def find(look: Look) -> Iterator[Found]:
    """Yield what all tests find."""
    for test in (pools, traffic, offers, users, gain):
        yield from test(look)


class Watch:
    """Looks at a run's ledger again and again.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    campaign
        The same, as it is served.
    known
        (n, p) what else was known of users before the campaign; it narrows what outcomes say.
    """

    def __init__(
        self,
        run_dir: Path,
        campaign: LiveCampaign,
        *,
        params: WatchParams | None = None,
        known: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self._run_dir, self._campaign, self._known = run_dir, campaign, known
        self.expected = Expected.of(run_dir, campaign)
        self.params = params or WatchParams()

    @cached_property
    def planner(self) -> RemainderPlanner:
        """The run's problem, made when it is first needed."""
        return RemainderPlanner.of(self._run_dir, self._campaign)

    @cached_property
    def yardstick(self) -> Yardstick:
        """By what outcomes are compared, made when there are any."""
        return yardstick_of(self._run_dir, self._campaign, known=self._known)

    def read(self, ledger: str) -> Observed:
        """Return what a ledger says now.

        Raises
        ------
        DataError
            When there is no ledger, or it is one of another run.
        """
        campaign = self._campaign
        return read_observed(
            ledger,
            run=campaign.run.digest,
            offers=self.expected.offers,
            rows_of=campaign.population.rows_of,
        )

    def findings(
        self,
        observed: Observed,
        now: int,
        *,
        outcomes: Outcomes | None = None,
        prices: Mapping[str, float] | None = None,
        requests: Mapping[str, int] | None = None,
    ) -> tuple[Finding, ...]:
        """Return what is to be known, the most severe first.

        Parameters
        ----------
        now
            Microseconds since 1970.
        outcomes
            What users did until then.
        prices
            At which users are decided on now; left out, what the ledger says of them.
        requests
            Key of the service to how often it has asked.
        """
        look = self.look(observed, now, outcomes=outcomes, requests=requests)
        if prices is None:
            prices = newest_prices(observed) or self._campaign.prices.by_name()
        findings = [self._finding(look, one, prices) for one in find(look)]
        order = ("error", "warning", "info")
        return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))

    def look(
        self,
        observed: Observed,
        now: int,
        *,
        outcomes: Outcomes | None = None,
        requests: Mapping[str, int] | None = None,
    ) -> Look:
        """Return what the tests look at; see `findings`."""
        return Look(
            expected=self.expected,
            observed=observed,
            now=now,
            params=self.params,
            outcomes=outcomes,
            requests=requests or {},
            yardstick=None if outcomes is None else self.yardstick,
        )

    def _finding(self, look: Look, found: Found, prices: Mapping[str, float]) -> Finding:
        mine = [action for action in look.observed.actions if name_of(action) == found.name]
        declined = next((a for a in mine if a.verb == Verb.DECLINED), None)
        answered = None
        if declined is not None:
            answered = FindingAnswer(verb=Verb.DECLINED, name=declined.name, at=declined.at)
        number = 1 + sum(action.verb == Verb.ACCEPTED for action in mine)
        return Finding(
            key=found.name if number == 1 else f"{found.name}#{number}",
            severity=found.severity,
            figures=found.figures,
            text=found.text,
            since=found.since,
            proposal=None
            if declined is not None
            else propose(look, found, prices, lambda: self.planner),
            answered=answered,
        )


def yardstick_of(
    run_dir: Path, campaign: LiveCampaign, *, known: npt.NDArray[np.float32] | None = None
) -> Yardstick:
    """Return by what a run's outcomes are compared: known before it began.

    Parameters
    ----------
    known
        (n, p) what else was known of users before the campaign.
    """
    policy = campaign.frozen.policy
    table = read_scores(open_source(run_dir / "scores.parquet"), policy)
    limits = campaign.run.certificate.limits
    prices = {limit.name: limit.price for limit in limits if limit.price is not None}
    scores = [
        np.asarray(column, dtype=np.float32)
        for measure in (CONVERSION, COST, SPEND)
        for column in table.measures.get(measure, ())
    ]
    columns = filled(np.column_stack(scores))
    return Yardstick(
        offered=plan_rule(policy, table, prices) >= 0,
        stratum=strata_codes(table.attributes.select(policy.holdout_strata), table.n_users),
        covariates=columns if known is None else np.concatenate([columns, known], axis=1),
    )


def newest_prices(observed: Observed) -> Mapping[str, float] | None:
    """Return the prices that were published or accepted last; None where none were."""
    published = observed.published
    for action in reversed(observed.actions):
        change = Change.from_json(action.change)
        if action.verb == Verb.ACCEPTED and change.prices is not None:
            # a server publishes what it takes over
            if published is None or published.at < action.at:
                return change.prices
            break
    return None if published is None else Current.of(published).prices.by_name()
