"""Opens a run for live decisions: verified, its users laid out beside it, its limits as terms."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from statistics import NormalDist

from incentive_engine.allocation.decisions.decision import rules_of
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.config.policy import Budget, Policy
from incentive_engine.domain import BUDGET, COST, FACE, ISSUED, MICROS, to_micros
from incentive_engine.errors import Fault, VerificationError
from incentive_engine.live.campaign import LiveCampaign, hours_of, windows_of
from incentive_engine.live.ledger.records import LimitTerms, RiskMargin
from incentive_engine.live.ledger.stores.store import Terms
from incentive_engine.live.population import RunPopulation
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile, read_json, read_manifest
from incentive_engine.run.signature import SigningKey
from incentive_engine.run.statements import StatedLimit
from incentive_engine.verify.files import altered_files
from incentive_engine.verify.verification import verify_run


def _mark(folder: Path) -> Path:
    """Return the file that says that a folder was laid out from a run that verifies."""
    return folder / "verified.json"


def open_campaign(run_dir: Path, *, key: SigningKey | None = None) -> LiveCampaign:
    """Return a run for live decisions, once it is known to verify.

    The first time a run is verified whole, and its users are laid out beside it; later, that its
    files are the same is enough.

    Parameters
    ----------
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
    if _mark(folder).exists() and key is None:
        _refuse_altered(run_dir)
    else:
        _lay_out_and_verify(run_dir, frozen, folder, key)
        _mark(folder).write_text(json.dumps({"run": run.digest}), encoding="utf-8")
    population = RunPopulation(folder, frozen)
    terms = terms_of(run, frozen)
    return LiveCampaign(
        run=run,
        frozen=frozen,
        prices=prices,
        planned_version=prices.version,
        population=population,
        terms=terms,
        places={limit.name: place for place, limit in enumerate(terms.limits)},
        measures=dict(_measures(frozen)),
        windows=windows_of(run.policy),
        hours=hours_of(run.policy),
    )


def cache_folder(run: FinishedRun) -> Path:
    """Return where a run's users are laid out: beside it, named by its digest."""
    directory = run.directory.resolve()
    return directory.with_name(f".{directory.name}.users-{RunPopulation.FORMAT}-{run.digest[:16]}")


def _lay_out_and_verify(
    run_dir: Path, frozen: FrozenPolicy, folder: Path, key: SigningKey | None
) -> None:
    """Lay the users of a run out while it is verified; both read all of it."""
    if not _mark(folder).exists():  # what a killed process left of it
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


def _limit(limit: StatedLimit, measure: str | None) -> LimitTerms:
    unit = 1 if measure == ISSUED else MICROS
    most = None if measure is None else limit.at_most
    least = None if measure is None else limit.at_least
    return LimitTerms(
        name=limit.name,
        is_count=measure == ISSUED,
        settles_amount=measure in {COST, FACE},
        at_most=None if most is None else _whole(most, unit, ROUND_FLOOR),
        at_least=None if least is None else _whole(least, unit, ROUND_CEILING),
        price=limit.price or 0.0,
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
    whole = int((Decimal(repr(float(bound))) * unit).to_integral_value(rounding=rounding))
    # a ledger's sums are 64 bits wide, and no campaign comes near this bound
    far = 2**62
    return min(max(whole, -far), far)


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
