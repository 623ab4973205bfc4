"""Scores of one user at a time, from features without a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from incentive_engine.config.conditions import Range, Where
from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.domain import (
    CONVERSION,
    COST,
    MICROS,
    SPEND,
    BoolArray,
    FloatArray,
    to_micros,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.uplift.boosting.features import Value
from incentive_engine.uplift.estimates import without_dust
from incentive_engine.uplift.model import EffectModel, refuse_unknown_offers
from incentive_engine.uplift.randomisation import shares


class UserScorer:
    """Says of one user what `predict` says of the same user in a table, to the last bit.

    Parameters
    ----------
    model
        Asked about users whom it has not seen.
    policy
        Its offers are the scores' order.

    Raises
    ------
    DataError
        When the policy has offers that the model does not know.
    """

    MEASURES: Final = frozenset({CONVERSION, SPEND, COST})

    def __init__(self, model: EffectModel, policy: Policy) -> None:
        refuse_unknown_offers(model, policy)
        self._model = model
        self._places = [model.facts.offers.index(offer) for offer in policy.offer_ids]
        # every tree is read, and every loop compiled, before somebody waits
        width, reach = max(len(model.encoder.features), 1), np.ones(len(model.odds), np.bool_)
        self._expect(np.zeros((1, width), np.float32), reach)

    def measures(self, features: Mapping[str, Value], *, where: str) -> dict[str, list[float]]:
        """Return each measure's scores in the policy's order of offers.

        Raises
        ------
        DataError
            With every feature that is missing, or of another kind.
        """
        row = self._model.encoder.encode_row(features, where=where)
        reach = self._reach(features, where)
        conversion, spend, cost = self._expect(row, reach)
        return {
            CONVERSION: without_dust(conversion).tolist(),
            SPEND: without_dust(spend).tolist(),
            COST: (to_micros(cost) / MICROS).tolist(),
        }

    def _expect(
        self, matrix: np.ndarray, reach: BoolArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the conversion, spend and cost, (k,) each, of a row (1, p)."""
        model = self._model
        share = shares(model.odds, reach[None])
        outcomes = model.models.expect(matrix, model.basis(matrix), share)
        every = (outcomes.converting.effect, outcomes.spend, outcomes.cost)
        conversion, spend, cost = (values[0, self._places] for values in every)
        return conversion, spend, cost

    def _reach(self, features: Mapping[str, Value], where: str) -> BoolArray:
        """Return which offers the eligibility of the trial lets the user have, (k,)."""
        offers = self._model.facts.offers
        reach = np.ones(len(offers), np.bool_)
        for rule in self._model.facts.rules:
            is_met = not rule.where or matches(_row(features, rule.where, where), rule.where)[0]
            for offer in rule.offers:
                reach[offers.index(offer)] &= is_met
        return reach


def _row(features: Mapping[str, Value], conditions: Where, where: str) -> pa.Table:
    """Return the features that conditions look at as a table of one row."""
    columns = {}
    for name, condition in conditions.items():
        if name not in features:
            what = say("the attribute `{name}` is missing", name=name)
            raise DataError(Fault(where, what, "a value, or null"))
        value, is_range = features[name], isinstance(condition, Range)
        if is_range and isinstance(value, str):
            raise DataError(Fault(where, say("`{name}` holds no number", name=name)))
        nothing = pa.float64() if is_range else pa.string()
        columns[name] = pa.array([value], nothing if value is None else None)
    return pa.table(columns)
