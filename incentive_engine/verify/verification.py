"""Re-checks a run from its files alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.holdout import held_shares
from incentive_engine.domain import BUDGET, SPEND
from incentive_engine.fleet import SharedWork
from incentive_engine.language import message_of
from incentive_engine.run.format import RunFile
from incentive_engine.run.signature import SigningKey, signature_problem
from incentive_engine.verify.user_margins import SmallestBudgets

from .choices import ChoiceChecks, check_users
from .files import StatedRun, altered_files, listed, read_run
from .frozen import check_frozen, check_numbered_prices
from .inputs import check_evaluation, check_inputs
from .policies import check_policy
from .proof import check_proof
from .recomputed.blocks import BLOCK, Block, UnreadableError, blocks
from .recomputed.lots import Lots
from .recomputed.pairs import BlockReplay, OfferedPairs
from .recomputed.replay import replay
from .recomputed.rules import Rules, groups, rules_of_rows, stored_measures
from .recomputed.sums import Sums, Usage
from .recomputed.users import allowed, drawn_holdout, read_users, weights
from .result import Check, CheckFindings, Verification
from .returns import check_returns, check_risk
from .totals import check_limits


def verify_run(
    run_dir: Path, *, key: SigningKey | None = None, shared: SharedWork | None = None
) -> Verification:
    """Re-check a run: files, users, rules, holdout, money, limits, value and bound.

    What is checked is recomputed from the run's own score table and policy by code that knows
    nothing of how the plan was made. A run whose files cannot be read fails the check `files`,
    and the others are left out.

    Parameters
    ----------
    key
        The run must be signed with it; without one, a signature is not looked at.
    shared
        Who goes through the rows in shards; None for this process. What is said is the same.
    """
    files = CheckFindings("files", "every file is there, readable and unaltered since the run")
    others: tuple[Check, ...] = ()
    try:
        manifest = listed(run_dir)
        for problem in altered_files(run_dir, manifest):
            files.add(problem)
        others = tuple(_checks(read_run(run_dir, manifest), shared))
    except UnreadableError as error:
        files.add(message_of(error))
    signed = tuple(_signature(run_dir, key))
    return Verification(run_dir=run_dir, checks=(files.check(), *signed, *others))


def _signature(run_dir: Path, key: SigningKey | None) -> Iterator[Check]:
    if key is not None:
        what = "; ".join(["the manifest is signed with the key at hand", *key.warnings])
        findings = CheckFindings("signature", what)
        if problem := signature_problem(run_dir, key):
            findings.add(problem)
        yield findings.check()
    elif (run_dir / RunFile.SIGNATURE).exists():
        what = "there is a signature, and no key at hand to check it"
        yield CheckFindings("signature unseen", what).check()


def _checks(run: StatedRun, shared: SharedWork | None) -> Iterator[Check]:
    yield check_policy(run)
    yield check_inputs(run)
    yield from check_evaluation(run)
    users = read_users(run.directory / RunFile.SCORES, run.policy.attribute_columns)
    listed = check_users(run, users)
    yield listed
    # without the same users in the same order no row of one file belongs to a row of the other
    if listed.ok:
        rules = rules_of(run, users)
        yield check_frozen(run, users, rules)
        # a million attributes are not needed any more, and rows come next
        del users
        rows, sums, budgets = (
            look(run, rules) if shared is None else look_in_shards(run, rules, shared)
        )
        yield from rows.checks(run, sums)
        yield budgets.check()
        yield from check_limits(run, sums)
        yield from check_risk(run, sums)
        yield check_returns(run, sums)
        yield from check_proof(run, sums)
        yield check_numbered_prices(run, sums)


def rules_of(run: StatedRun, users: pa.Table) -> Rules:
    """Return what the policy and the certificate say of all users, as `read_users` has them."""
    policy = run.policy
    budget = [limit.at_most for limit in run.certificate.limits if limit.name == BUDGET]
    holdout = drawn_holdout(users["user_id"], users, policy)
    ruled = {offer for rule in policy.eligibility for offer in rule.offers}
    return Rules(
        policy=policy,
        groups=groups(policy, users, expected=budget[0] if budget else None),
        prices={limit.name: limit.price or 0.0 for limit in run.certificate.limits},
        holdout=holdout,
        held=held_shares(users.select(list(policy.holdout_strata)), holdout),
        lots=Lots.of(users["user_id"].combine_chunks(), holdout, policy),
        weight=weights(users, policy),
        allowed={offer: allowed(users, policy, offer) for offer in ruled},
        measures=stored_measures(policy),
        with_spend=frozenset(
            offer for offer in policy.offer_ids if f"{SPEND}__{offer}" in run.score_columns
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowsToLookAt:
    """Rows of a run, and the rules of their users alone."""

    rows: slice
    rules: Rules


Looked = tuple[ChoiceChecks, list[Sums], SmallestBudgets]
"""What is off in some rows, what each block of them adds up to, and how they are reached."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookAtShard:
    """Recomputes the rows of one shard from the run's files."""

    directory: Path
    policy: Policy

    def __call__(self, shard: RowsToLookAt) -> Looked | UnreadableError:
        """Return what is off in the rows, and what each block of them adds up to."""
        try:
            return self._looked(shard)
        except UnreadableError as error:
            return error  # an answer about the run, not a task that failed

    def _looked(self, shard: RowsToLookAt) -> Looked:
        rules, offers = shard.rules, self.policy.offer_ids
        rows, budgets = ChoiceChecks(self.policy), SmallestBudgets(rules)
        added: list[Sums] = []
        for block in blocks(self.directory, offers, rules.columns, rows=shard.rows):
            truth, pairs = replay(rules, block)
            rows.look(block, truth)
            budgets.look(block, pairs)
            added.append(Sums.of_nobody(rules))
            added[-1].add(block, truth)
        # which users a limit counts went out, and need not come back
        small = [replace(sums, usages=tuple(map(_alone, sums.usages))) for sums in added]
        return rows, small, budgets


def _alone(usage: Usage) -> Usage:
    return replace(usage, group=replace(usage.group, part=None))


def look_in_shards(
    run: StatedRun, rules: Rules, shared: SharedWork
) -> tuple[ChoiceChecks, Sums, SmallestBudgets]:
    """Return what `look` does, from shards of whole blocks that a fleet goes through."""
    users = len(rules.holdout)
    number = -(-users // BLOCK)
    # edges lie between blocks, so that float sums are added in the order of one process
    shards = max(1, min(shared.number(users), number))
    edges = [min(number * shard // shards * BLOCK, users) for shard in range(shards + 1)]
    asked = [
        RowsToLookAt(rows=slice(*edge), rules=rules_of_rows(rules, slice(*edge)))
        for edge in pairwise(edges)
    ]
    task = LookAtShard(directory=run.directory.absolute(), policy=run.policy)
    rows, sums, budgets = ChoiceChecks(run.policy), Sums.of_nobody(rules), SmallestBudgets(rules)
    for shard, looked in zip(asked, shared.fleet.map(task, asked), strict=True):
        if isinstance(looked, UnreadableError):
            raise looked
        found, added, reached = looked
        rows.join(found, start=shard.rows.start)
        budgets.join(reached, start=shard.rows.start)
        for block_sums in added:
            sums.join(block_sums)
    return rows, sums, budgets


def look(run: StatedRun, rules: Rules) -> tuple[ChoiceChecks, Sums, SmallestBudgets]:
    """Return what is off in the rows, and what they add up to."""
    rows, sums, budgets = ChoiceChecks(run.policy), Sums.of_nobody(rules), SmallestBudgets(rules)
    read = blocks(run.directory, run.policy.offer_ids, rules.columns)
    for block, (truth, pairs) in _recomputed(read, lambda block: replay(rules, block)):
        rows.look(block, truth)
        sums.add(block, truth)
        budgets.look(block, pairs)
    return rows, sums, budgets


Recomputed = tuple[BlockReplay, list[OfferedPairs]]


def _recomputed(
    read: Iterable[Block], work: Callable[[Block], Recomputed]
) -> Iterator[tuple[Block, Recomputed]]:
    """Yield blocks in their order, a few of which are worked on at a time."""
    waiting: deque[tuple[Block, Future[Recomputed]]] = deque()
    with ThreadPoolExecutor() as pool:
        # blocks that are being recomputed while the next one is read
        ahead = 3
        for block in read:
            waiting.append((block, pool.submit(work, block)))
            if len(waiting) > ahead:
                first, recomputed = waiting.popleft()
                yield first, recomputed.result()
        for first, recomputed in waiting:
            yield first, recomputed.result()
