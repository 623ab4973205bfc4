"""Freezes a policy among the users of a plan."""

from __future__ import annotations

import pyarrow as pa

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy
from incentive_engine.allocation.weights import medians_of
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import is_text, levels
from incentive_engine.data.trials.exploring import explorers_of
from incentive_engine.data.trials.holdout import HoldoutStratum, holdout_cutoffs
from incentive_engine.domain import AttributeKind, BoolArray


def freeze_policy(policy: Policy, scores: ScoreTable, holdout: BoolArray) -> FrozenPolicy:
    """Return a policy frozen among the users of a plan.

    Parameters
    ----------
    holdout
        (n,) bool, who of them never gets an offer.
    """
    attributes = scores.attributes
    strata = _strata(policy, scores, holdout)
    explored = -1
    if policy.explore:
        ids, seed = scores.user_id, policy.seed
        _, explored = explorers_of(ids, holdout, share=policy.explore, seed=seed)
    kinds = {name: _kind_of(attributes.column(name)) for name in attributes.column_names}
    return FrozenPolicy(
        policy=policy,
        measures=tuple(scores.measures),
        kinds=kinds,
        medians=medians_of(attributes, policy.objective.weight),
        groups=tuple(
            None
            if limit.for_each is None
            else tuple(map(str, levels(attributes.column(limit.for_each)).labels))
            for limit in policy.limits
        ),
        cutoffs={stratum.name: stratum.highest for stratum in strata},
        held={stratum.name: stratum.share for stratum in strata},
        explored=explored,
    )


def _kind_of(column: pa.Array) -> AttributeKind:
    kind = column.type
    if is_text(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_integer(kind):
        return "integer"
    if pa.types.is_floating(kind):
        return "number" if pa.types.is_float64(kind) else "single"
    return "time"


def _strata(policy: Policy, scores: ScoreTable, holdout: BoolArray) -> list[HoldoutStratum]:
    if not policy.holdout:
        return []
    strata = scores.attributes.select(policy.holdout_strata)
    return holdout_cutoffs(scores.user_id, strata, holdout, seed=policy.seed)
