"""The main job: from a campaign to a run directory that finance can check."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from incentive_engine.config.access.location import Location
from incentive_engine.config.plausibility import doubts
from incentive_engine.data.scores import read_scores
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.insight.budget.response import kept_beside
from incentive_engine.insight.findings import warned_first
from incentive_engine.insight.pages.summary import RunSummary
from incentive_engine.insight.value.gain import read_valuation
from incentive_engine.language import Code
from incentive_engine.parallel import side_threads
from incentive_engine.pipeline.campaign import inputs_of
from incentive_engine.pipeline.quality import read_quality
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.workflow.begin import begin
from incentive_engine.workflow.plan_campaign import ModelEvidence, plan_campaign
from incentive_engine.workflow.write_run import write_run


def allocate(
    policy_file: Path | None,
    *,
    options: BudgetOptions,
    scores: Path | Location | None,
    out: Path | None,
    author: str | None = None,
    accepted: Collection[str] = (),
    lang: Code = "en",
    brief: bool = False,
    progress: Progress = quiet,
    shared: SharedWork | None = None,
) -> RunSummary:
    """Decide one offer or none for each user and write the run directory.

    Parameters
    ----------
    brief
        Leave out what only the page shows.
    shared
        Who goes through users in shards; None for this process. The run is the same.

    Raises
    ------
    ConfigError, DataError
        With every problem of the policy, or of a file.
    InfeasibleError
        When no plan meets all limits.
    """
    steps = Steps(progress, shared=shared)
    origin, directory = begin(
        policy_file,
        options,
        with_scores=scores is not None,
        out=out,
        author=author,
        accepted=accepted,
    )
    policy = origin.policy
    inputs = inputs_of(policy, scores, steps, accepted=accepted)
    origin = replace(origin, inputs=inputs)
    with side_threads() as side:
        valued = inputs.valuation and side.submit(read_valuation, inputs.valuation, policy)
        with steps.step("read"):
            table = read_scores(inputs.scores, policy)
        evidence = ModelEvidence(
            valued=valued.result if valued else None,
            quality=read_quality(inputs.model, inputs.drift),
            keep=kept_beside(inputs.scores),
        )
        doubtful = doubts(policy)
        with warned_first(evidence.quality, table, doubtful):
            findings = plan_campaign(
                policy, table, options=options, evidence=evidence, steps=steps, brief=brief
            )
    write_run(directory, findings, origin=origin, steps=steps, lang=lang)
    return RunSummary.of(findings.totals, directory, (*doubtful, *findings.warnings))
