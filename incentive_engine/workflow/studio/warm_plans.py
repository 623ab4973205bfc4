"""Warm plans of the policies that are open, and what they need before they can answer."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from incentive_engine.config.document.draft import read_draft
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import read_scores
from incentive_engine.insight.planner.warm_plan import WarmPlan
from incentive_engine.insight.value.gain import read_valuation
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.pipeline.campaign import campaign_inputs, inputs_of
from incentive_engine.pipeline.inputs import Inputs
from incentive_engine.pipeline.quality import read_quality
from incentive_engine.pipeline.steps import Progress, Steps


class WarmPlans:
    """The campaigns that somebody moves limits of."""

    def __init__(self) -> None:
        """Begin with none."""
        self._plans: OrderedDict[str, WarmPlan] = OrderedDict()
        self._prepared: set[str] = set()
        self._lock = threading.Lock()

    def find(self, policy: Policy, scores: Path | None) -> WarmPlan | None:
        """Return the warm plan of a policy's users; None where it is not open."""
        key = _key(policy, scores)
        with self._lock:
            plan = self._plans.get(key)
            if plan is not None:
                self._plans.move_to_end(key)
            return plan

    def trial_of(self, policy: Policy) -> ValuedTrial | None:
        """Return the trial of a policy; None until its sliders have been opened."""
        plan = self.find(policy, None)
        return plan.trial() if plan else None

    def is_prepared(self, policy: Policy, scores: Path | None) -> bool:
        """Whether all that an open plan needs has been made."""
        return scores is not None or _key(policy, None) in self._prepared

    def note_prepared(self, policy: Policy) -> None:
        """Note that a task has trained and scored for a policy."""
        self._prepared.add(_key(policy, None))

    def open(self, policy: Policy, scores: Path | None) -> WarmPlan:
        """Return a warm plan, read where it is not open.

        Raises
        ------
        ConfigError, DataError
            With every problem of the files.
        """
        if (plan := self.find(policy, scores)) is not None:
            return plan
        with self._lock:
            key = _key(policy, scores)
            if key not in self._plans:
                self._plans[key] = warm_plan(policy, scores)
                # campaigns whose scores are held at a time
                while len(self._plans) > 2:
                    self._plans.popitem(last=False)
            return self._plans[key]


def warm_plan(policy: Policy, scores: Path | None) -> WarmPlan:
    """Return a warm plan of a policy's users; what was trained and scored before is read."""
    inputs = inputs_of(policy, scores, Steps())
    table = read_scores(inputs.scores, policy)
    valued = _valued(inputs, policy)
    return WarmPlan(table, valued=valued, quality=read_quality(inputs.model, inputs.drift))


def _valued(inputs: Inputs, policy: Policy) -> Callable[[], ValuedTrial] | None:
    file = inputs.valuation
    return None if file is None else lambda: read_valuation(file, policy)


def prepare(path: Path, text: str, *, progress: Progress) -> None:
    """Train and score for a policy, so that a warm plan finds it all.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of its data.
    """
    policy = read_draft(text, path, require_data=True).valid()
    campaign_inputs(policy, Steps(progress))


def _key(policy: Policy, scores: Path | None) -> str:
    """Return what tells one table of scores from another: all that it is learned and read by."""
    content = policy.model_dump(
        mode="json", include={"data", "offers", "features", "history", "eligibility", "seed"}
    )
    stamp = None
    if scores is not None:
        state = scores.stat()
        stamp = [str(scores), state.st_mtime_ns, state.st_size]
    whole = [content, policy.attribute_columns, policy.measures, stamp]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
