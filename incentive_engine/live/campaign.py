"""A verified run as live decisions need it: its limits, its users, its prices, its dates."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

from incentive_engine.allocation.decisions.decision import OfferChoice, User, decide
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, Prices
from incentive_engine.allocation.decisions.user_rules import micros_of, rules_of
from incentive_engine.config.policy import Budget, Policy
from incentive_engine.config.schedule.moments import in_zone
from incentive_engine.domain import BUDGET, COST, FACE, ISSUED, MICROS, Reason, to_micros
from incentive_engine.errors import DataError, Fault, VerificationError
from incentive_engine.language import say
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.records import Claims, LimitTerms, RiskMargin
from incentive_engine.live.ledger.stores.store import Terms
from incentive_engine.live.newcomers import Feature, Newcomers
from incentive_engine.live.population import FORMAT, Planned, RunPopulation
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile, read_json, read_manifest
from incentive_engine.run.signature import SigningKey
from incentive_engine.run.statements import StatedLimit
from incentive_engine.verify import verify_run
from incentive_engine.verify.files import altered_files

if TYPE_CHECKING:
    from incentive_engine.features.one_user import UserEvents

VERIFIED: Final = "verified.json"


class Window(NamedTuple):
    """When an offer can be redeemed, microseconds since 1970; None for no end."""

    start: int | None
    end: int | None


class Choice(NamedTuple):
    """What one user is to get, and what it counts in each limit."""

    offer_id: str | None
    reason: str
    cost: int
    face: int
    claims: Claims
    propensity: float


@dataclass(kw_only=True)
class LiveCampaign:
    """What a server decides by; `prices` is replaced whole while it serves.

    Attributes
    ----------
    planned_version
        The version of the prices at which a user of the run gets what the plan gives him.
    windows
        Offer to the time in which it can be redeemed.
    hours
        When the campaign itself runs; None where the policy does not say.
    paused, blocked
        Offers that nobody gets any more, and users who get none.
    """

    run: FinishedRun
    frozen: FrozenPolicy
    prices: Prices
    planned_version: int
    population: RunPopulation
    terms: Terms
    places: Mapping[str, int]
    measures: Mapping[str, str | None]
    windows: Mapping[str, Window]
    hours: Window | None
    newcomers: Newcomers | None = None
    paused: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()

    def obey(self, change: Change) -> None:
        """Take over what somebody accepted while the campaign runs; caps are the ledger's."""
        self.paused |= frozenset(change.paused)
        self.blocked |= frozenset(change.blocked)
        if change.prices is not None:
            self.prices = self.prices.next(change.prices)

    def choose_newcomer(
        self,
        user_id: str,
        features: Mapping[str, Feature],
        *,
        events: UserEvents | None = None,
        moment: int = 0,
    ) -> Choice:
        """Return what a user gets whom the run does not know, by the policy's model.

        Parameters
        ----------
        events, moment
            What the user did, and the moment before which it counts, microseconds since 1970.

        Raises
        ------
        DataError
            With every feature that is missing, of another kind, or given besides its events.
        """
        assert self.newcomers is not None
        if events is not None:
            made = self.newcomers.features(events, moment)
            if both := sorted(made.keys() & features.keys()):
                what = say("holds what `events` make: {both}", both=tuple(both[:5]))
                raise DataError(Fault("features", what, remedy="leave one of both out"))
            features = {**features, **made}
        return self._decide(self.newcomers.user(user_id, features))

    def choose(self, user_id: int | str) -> Choice | None:
        """Return what a user of the run gets at the prices of now; None for an unknown one."""
        planned = self.population.find(user_id)
        if planned is None:
            return None
        if self.prices.version != self.planned_version or planned.offer_id in self.paused:
            return self._decide(planned.user)
        if str(user_id) in self.blocked:
            return Choice(None, Reason.INELIGIBLE, 0, 0, (), planned.propensity)
        return self._as_planned(planned)

    def planned(self, user_id: int | str) -> Choice:
        """Return what the plan gives a user of the run, whatever holds now."""
        planned = self.population.find(user_id)
        assert planned is not None
        return self._as_planned(planned)

    def _as_planned(self, planned: Planned) -> Choice:
        if planned.offer_id is None:
            return Choice(None, planned.reason, 0, 0, (), planned.propensity)
        chosen = as_planned(planned.user, self.frozen, planned.offer_id)
        return self.choice_of(chosen)._replace(propensity=planned.propensity)

    def _decide(self, user: User) -> Choice:
        """Return what a user gets at the prices of now, without what is paused."""
        if str(user.user_id) in self.blocked:
            return Choice(None, Reason.INELIGIBLE, 0, 0, (), 1.0)
        return self.choice_of(decide(self._without_paused(user), self.frozen, self.prices))

    def _without_paused(self, user: User) -> User:
        """Return a user with nothing known of paused offers, which makes them ineligible."""
        if not self.paused:
            return user
        gone = [offer in self.paused for offer in self.frozen.policy.offer_ids]
        measures = {
            name: [math.nan if is_gone else x for x, is_gone in zip(values, gone, strict=True)]
            for name, values in user.measures.items()
        }
        return replace(user, measures=measures)

    def choice_of(self, chosen: OfferChoice) -> Choice:
        """Return a decision with what it claims of each limit."""
        claims = []
        for name, usage in chosen.usage.items():
            place = self.places.get(name)
            if place is not None:
                is_count = self.terms.limits[place].is_count
                claims.append((place, round(usage) if is_count else micros_of(usage)))
        claims.sort()
        return Choice(
            chosen.offer_id,
            chosen.reason,
            chosen.cost_micros,
            chosen.face_micros,
            tuple(claims),
            chosen.propensity,
        )


def as_planned(user: User, frozen: FrozenPolicy, offer_id: str) -> OfferChoice:
    """Return a given offer of a user as `decide` would, had it chosen that one.

    Raises
    ------
    DataError
        When the user may not get it.
    """
    rules = rules_of(frozen)
    known = rules.attributes_of(user.attributes)
    cell = rules.cell_of(known)
    for pair in rules.pairs_of(user.measures, known, rules.weight_of(known)):
        if rules.offers[pair.place] == offer_id:
            usage = rules.usage_of(pair, cell)
            face = rules.faces[pair.place]
            return OfferChoice(offer_id, Reason.OFFERED, pair.value, pair.cost_micros, face, usage)
    raise DataError(Fault("user", say("may not get {offer_id}", offer_id=offer_id)))


def open_campaign(
    run_dir: Path, *, model: Path | None = None, key: SigningKey | None = None
) -> LiveCampaign:
    """Return a run for live decisions, once it is known to verify.

    The first time a run is verified whole, and its users are laid out beside it; later, that its
    files are the same is enough.

    Parameters
    ----------
    model
        What `train` has written, for users whom the run does not know.
    key
        The run must be signed with it; a run is then verified whole every time.

    Raises
    ------
    VerificationError
        When the run does not verify.
    DataError
        When it is no run, or one of a version that had no frozen policy.
    """
    run = read_run(run_dir)
    frozen = FrozenPolicy.from_dict(read_json(run_dir / RunFile.FROZEN_POLICY))
    prices = Prices.from_dict(read_json(run_dir / RunFile.PRICES))
    folder = cache_folder(run)
    if (folder / VERIFIED).exists() and key is None:
        _refuse_altered(run_dir)
    else:
        _lay_out_and_verify(run_dir, frozen, folder, key)
        (folder / VERIFIED).write_text(json.dumps({"run": run.digest}), encoding="utf-8")
    population = RunPopulation(folder, frozen)
    terms = terms_of(run, frozen)
    evaluated = run.certificate.budget.evaluated
    cost_factor = 1.0 if evaluated is None else evaluated.correction
    return LiveCampaign(
        run=run,
        frozen=frozen,
        prices=prices,
        planned_version=prices.version,
        population=population,
        terms=terms,
        places={limit.name: place for place, limit in enumerate(terms.limits)},
        measures=dict(_measures(frozen)),
        windows=_windows(run.policy),
        newcomers=None if model is None else Newcomers(model, frozen, cost_factor=cost_factor),
        hours=_hours(run.policy),
    )


def cache_folder(run: FinishedRun) -> Path:
    """Return where a run's users are laid out: beside it, named by its digest."""
    directory = run.directory.resolve()
    return directory.with_name(f".{directory.name}.users-{FORMAT}-{run.digest[:16]}")


def _lay_out_and_verify(
    run_dir: Path, frozen: FrozenPolicy, folder: Path, key: SigningKey | None
) -> None:
    """Lay the users of a run out while it is verified; both read all of it."""
    if not (folder / VERIFIED).exists():  # what a killed process left of it
        shutil.rmtree(folder, ignore_errors=True)
    with ThreadPoolExecutor(1) as beside:
        layout = beside.submit(RunPopulation.open, folder, run_dir, frozen)
        _refuse_unverified(run_dir, key)
        layout.result()


def _refuse_unverified(run_dir: Path, key: SigningKey | None) -> None:
    verification = verify_run(run_dir, key=key)
    if not verification.ok:
        raise VerificationError(
            *(
                Fault(
                    f"{run_dir}: {check.name}",
                    check.problem or check.what,
                    remedy="do not use this run",
                )
                for check in verification.failures
            )
        )


def _refuse_altered(run_dir: Path) -> None:
    if problems := list(altered_files(run_dir, read_manifest(run_dir))):
        remedy = "do not use this run"
        raise VerificationError(*(Fault(str(run_dir), what, remedy=remedy) for what in problems))


def terms_of(run: FinishedRun, frozen: FrozenPolicy) -> Terms:
    """Return the enforced limits of a run as its ledger keeps them.

    Floors and ratios cannot hold after every single offer: they are counted, not enforced.
    """
    measures = dict(_measures(frozen))
    limits = []
    for stated in run.certificate.limits:
        if stated.report_only:
            continue
        measure = measures[stated.name]
        limit = _limit(stated, measure)
        if stated.name == BUDGET and run.policy.budget is not None:
            limit = _budget(limit, run.policy, run.policy.budget)
        limits.append(limit)
    return Terms(run=run.digest, limits=tuple(limits))


def _limit(stated: StatedLimit, measure: str | None) -> LimitTerms:
    unit = 1 if measure == ISSUED else MICROS
    most = None if measure is None else stated.at_most
    least = None if measure is None else stated.at_least
    return LimitTerms(
        name=stated.name,
        is_count=measure == ISSUED,
        settles_amount=measure in {COST, FACE},
        at_most=None if most is None else _whole(most, unit, ROUND_FLOOR),
        at_least=None if least is None else _whole(least, unit, ROUND_CEILING),
        price=stated.price or 0.0,
    )


def _budget(limit: LimitTerms, policy: Policy, budget: Budget) -> LimitTerms:
    limit = replace(limit, at_most=_whole(budget.amount, MICROS, ROUND_FLOOR))
    if budget.basis != "at-risk":
        return limit
    faces = [int(to_micros(offer.face_value)) for offer in policy.offers]
    risk = RiskMargin(
        z_ppm=round(NormalDist().inv_cdf(budget.confidence) * MICROS),
        error_ppm=round(budget.forecast_error * MICROS),
        face=max(faces),
    )
    return replace(limit, risk=risk)


def _whole(bound: float, unit: int, rounding: str) -> int:
    return int((Decimal(repr(float(bound))) * unit).to_integral_value(rounding=rounding))


def _measures(frozen: FrozenPolicy) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each limit and the measure that it sums; None for a ratio."""
    policy = frozen.policy
    for rule, stated in zip(rules_of(frozen).limits, [*policy.limits, None], strict=False):
        groups = [None] if rule.for_each is None else sorted(rule.groups)
        for group in groups:
            for form in rule.forms:
                name = rule.name if group is None else f"{rule.name}[{group}]"
                measure = (
                    COST if stated is None else None if stated.is_part_of_plan else stated.sum
                )
                if stated is None and policy.budget and policy.budget.basis == "face":
                    measure = FACE
                yield name + form.suffix, measure


def _windows(policy: Policy) -> dict[str, Window]:
    def micros(moment: datetime | None, seconds: int) -> int | None:
        if moment is None:
            return None
        return round((in_zone(moment, policy.timezone).timestamp() + seconds) * MICROS)

    return {
        # the last second of `valid_to` belongs to the offer
        offer.id: Window(micros(offer.valid_from, 0), micros(offer.valid_to, 1))
        for offer in policy.offers
    }


def _hours(policy: Policy) -> Window | None:
    """Return when a policy's campaign runs."""
    if policy.campaign is None:
        return None
    start, end = (
        round(in_zone(moment, policy.timezone).timestamp() * MICROS)
        for moment in (policy.campaign.start, policy.campaign.end)
    )
    return Window(start, end)


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def moment_text(micros: int) -> str:
    """Return a moment as text, in UTC.

    >>> moment_text(1_800_000_000_000_001)
    '2027-01-15T08:00:00.000001Z'
    """
    seconds, rest = divmod(micros, MICROS)
    return f"{_second_text(seconds)}.{rest:06d}Z"
