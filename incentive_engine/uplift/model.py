"""The uplift model: fitted on a trial, asked about users; `storage` keeps it as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from incentive_engine import knobs
from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Eligibility, Policy
from incentive_engine.data.columns.features import learnable
from incentive_engine.data.trials.trial import Trial
from incentive_engine.data.users import UserTable
from incentive_engine.domain import FloatArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.parallel import blas_on_one_thread, side_by_side, together
from incentive_engine.uplift.boosting.features import Encoder, learn_encoder
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.effects.basis import Basis, learn_basis
from incentive_engine.uplift.estimates import Estimates, OutOfFold
from incentive_engine.uplift.nuisance.outcome_models import OutcomeModels, learn_outcomes
from incentive_engine.uplift.params import FIT, FitParams
from incentive_engine.uplift.randomisation import Randomisation, shares
from incentive_engine.uplift.rows import DownsampledRows, TrialRows
from incentive_engine.uplift.support import learn_support
from incentive_engine.uplift.trial_design import check_folds, even_lottery, reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a model was made from.

    Attributes
    ----------
    trial
        Digest of the trial's rows.
    rows
        How many there were.
    seed
        Of folds and boosting.
    offers
        Offer ids in the order of every matrix.
    rules
        Who could get which offer.
    params
        What it was fitted with.
    """

    trial: str
    rows: int
    seed: int
    offers: tuple[str, ...]
    rules: tuple[Eligibility, ...]
    params: FitParams


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectModel:
    """What each offer changes for each user.

    Attributes
    ----------
    facts
        What it was made from.
    encoder, basis
        From features to numbers, and to smooth functions.
    odds : (k,) float64
        Arms of the even lottery that outcomes are averaged over, against control.
    models
        Conversion, spend and cost.
    out_of_fold
        Estimates for the trial's rows by models that never saw them.
    """

    facts: Facts
    encoder: Encoder
    basis: Basis
    odds: FloatArray
    models: OutcomeModels
    out_of_fold: OutOfFold


@blas_on_one_thread()
def fit(trial: Trial, policy: Policy, *, seed: int, params: FitParams = FIT) -> EffectModel:
    """Learn the effects and costs of the policy's offers from a randomised trial.

    Parameters
    ----------
    trial
        With the policy's offers in the policy's order.
    policy
        Says which offers form a ladder and who could get which offer.
    seed
        Of folds and boosting; the same inputs and seed give the same model.
    params
        How far the models adapt, and what is believed beforehand.

    Raises
    ------
    DataError
        When an arm has too few rows to say anything, or those outside some fold have.
    """
    lottery = even_lottery(trial, policy.eligibility)
    encoder = learn_encoder(trial.features[learnable(trial.features, policy.features)])
    basis, rows = _encode(trial, encoder, lottery, seed=seed, params=params)
    models, outcomes = learn_outcomes(rows, trial, ladders(policy.offers), seed=seed)
    return EffectModel(
        facts=Facts(
            trial=trial.digest(),
            rows=trial.n_rows,
            seed=seed,
            offers=trial.offers,
            rules=policy.eligibility,
            params=params,
        ),
        encoder=encoder,
        basis=basis,
        odds=lottery.odds,
        models=models,
        out_of_fold=OutOfFold(
            estimates=models.combine(rows.phi, trial.offers, outcomes),
            constant=models.converting.effects.constant_outside(rows.folds),
            fold=rows.folds.label,
        ),
    )


def ladders(offers: Sequence[Offer]) -> tuple[tuple[int, ...], ...]:
    """Return the positions of the offers of each ladder, by face value, shallow first."""
    named: dict[str, list[int]] = {}
    for position, offer in enumerate(offers):
        if offer.ladder is not None:
            named.setdefault(offer.ladder, []).append(position)
    return tuple(
        tuple(sorted(rungs, key=lambda position: (offers[position].face_value, position)))
        for rungs in named.values()
        if len(rungs) > 1
    )


def _encode(
    trial: Trial, encoder: Encoder, lottery: Randomisation, *, seed: int, params: FitParams
) -> tuple[Basis, TrialRows]:
    """Return smooth functions of a trial's features, and its rows as numbers, dealt to folds."""
    matrix = encoder.encode(trial.features, where="trial")
    count = params.folds_of(trial.n_rows)
    folds = draw_folds(trial.person, count=count, rng=np.random.default_rng(seed))
    check_folds(trial, lottery, folds)
    happened = (trial.conversion > 0) | (trial.spend != 0)
    (basis, phi), downsampled = together(
        lambda: learn_basis(matrix, encoder, params),
        lambda: DownsampledRows.of(
            lambda some: matrix[some], happened, folds, categories=encoder.crowded, seed=seed
        ),
    )
    return basis, TrialRows(
        matrix=matrix,
        categories=encoder.crowded,
        downsampled=downsampled,
        phi=phi,
        columns=basis.columns,
        support=learn_support(matrix, encoder.categories, lottery, seed=seed),
        lottery=lottery,
        folds=folds,
        campaign=None if trial.campaigns is None else trial.campaigns.code,
        params=params,
    )


@blas_on_one_thread()
def predict(model: EffectModel, users: UserTable, policy: Policy) -> pd.DataFrame:
    """Score users: what each offer changes, and costs, for each of them.

    Returns
    -------
    A score table with a row per user: user_id, the policy's attributes, and for each offer
    ``conversion__``, ``spend__``, ``cost__`` (whole millionths) and ``conversion_se__``.

    Raises
    ------
    DataError
        When a feature that the model learned from is missing, or the policy has offers that the
        model does not know.
    """
    refuse_unknown_offers(model, policy)
    block = knobs.MEMORY.scored_users
    blocks = [slice(start, start + block) for start in range(0, max(users.n_users, 1), block)]
    tables = side_by_side(lambda at: _scored(model, users, blocks[at], policy), len(blocks))
    return pd.concat(tables, ignore_index=True)


def refuse_unknown_offers(model: EffectModel, policy: Policy) -> None:
    """Refuse a policy with offers that a model does not know.

    Raises
    ------
    DataError
        With each of them.
    """
    if faults := unknown_offers(model, policy):
        raise DataError(*faults)


def unknown_offers(model: EffectModel, policy: Policy) -> list[Fault]:
    """Return a fault for each offer of a policy that a model does not know."""
    offers = model.facts.offers
    what, remedy = "the model's trial did not try this offer", "train on a trial that tried it"
    return [
        Fault(f"offers: {offer}", what, say("one of {names}", names=offers), remedy)
        for offer in policy.offer_ids
        if offer not in offers
    ]


def _scored(model: EffectModel, users: UserTable, block: slice, policy: Policy) -> pd.DataFrame:
    features = users.features.iloc[block]
    estimates = estimate(model, features, where="users")
    return estimates.score_frame(users.user_id.iloc[block], features, policy)


@blas_on_one_thread()
def estimate(model: EffectModel, features: pd.DataFrame, *, where: str) -> Estimates:
    """Return the estimates for users that no model has seen."""
    matrix = model.encoder.encode(features, where=where)
    reach = reachable(features, model.facts.offers, model.facts.rules)
    return model.models.estimate(
        matrix, model.basis(matrix), shares(model.odds, reach), model.facts.offers
    )
