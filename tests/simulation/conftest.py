"""Models that several tests learn from the same trial are learnt once."""

from collections.abc import Iterator

import pytest

from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.simulation.strategy.learning import LearnedTrial


@pytest.fixture(autouse=True, scope="session")
def _learn_once() -> Iterator[None]:
    known: dict[str, LearnedTrial] = {}
    learn = LearnedTrial.of

    def of(trial: Trial, policy: Policy, *, seed: int) -> LearnedTrial:
        rules = policy.model_dump_json(include={"offers", "eligibility"})
        key = f"{trial.digest()} {rules} {seed}"
        if key not in known:
            known[key] = learn(trial, policy, seed=seed)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LearnedTrial, "of", of)
        yield
