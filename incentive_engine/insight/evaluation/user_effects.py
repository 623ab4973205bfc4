"""Why one user's offers are thought to work: the features that drive each effect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.typing import NaTType

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.users import UserFile
from incentive_engine.errors import DataError, Fault
from incentive_engine.features.computing.history_columns import HistoryColumn
from incentive_engine.features.computing.words import feature_words
from incentive_engine.language import Message, Text, say
from incentive_engine.language.wording import named
from incentive_engine.uplift.evaluation.explanation import Explanation, explain
from incentive_engine.uplift.model import EffectModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPart:
    """One summand of an effect, in added probability of conversion."""

    name: str
    value: str
    """The user's value of the feature; empty where the part is no feature."""
    adds: float
    words: Message | None = None
    """What the feature is, where it is one of history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReasons:
    """One offer's effect, and the parts that add up to it."""

    offer: str
    eligible: bool
    """Whether the policy lets this user have it; the effect is stated all the same."""
    effect: float
    parts: tuple[EffectPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReasons:
    """What the model says of one user."""

    SHOWN: ClassVar = 8
    """Features that are named per offer; the others are summed up."""

    user_id: str
    offers: tuple[OfferReasons, ...]

    def to_json(self) -> str:
        """Return all parts for programs."""
        content = asdict(self)
        for offer, shown in zip(self.offers, content["offers"], strict=True):
            for reason, written in zip(offer.parts, shown["parts"], strict=True):
                written["words"] = None if reason.words is None else str(reason.words)
        return json.dumps(content, indent=2, ensure_ascii=False)

    def lines(self) -> Iterator[Message]:
        """Yield the largest parts for people."""
        yield say("explain.user", user=self.user_id)
        for offer in self.offers:
            kind = "explain.offer" if offer.eligible else "explain.closed"
            yield say(kind, offer=offer.offer, effect=100 * offer.effect)
            first, *smaller = offer.parts
            shown, others = smaller[: self.SHOWN], smaller[self.SHOWN :]
            yield from (_line(reason) for reason in (first, *shown))
            if others:
                left = sum(reason.adds for reason in others)
                more = say("explain.more", count=len(others))
                yield say("explain.part", adds=100 * left, name=more)


def user_effects(
    model: EffectModel,
    users: UserFile,
    user_id: str,
    policy: Policy,
    *,
    history: Sequence[HistoryColumn] = (),
) -> UserReasons:
    """Return why a model thinks that each offer works on one user as it does.

    Parameters
    ----------
    history
        The features of history among those of the users.

    Raises
    ------
    DataError
        When no such user is among them.
    """
    features = users.take(np.array([_row(users, user_id)])).features
    explanation = explain(model, features, where="users")
    values = {name: _word(features[name].iloc[0]) for name in explanation.features}
    closed = _closed(policy, features)
    words = {column.name: feature_words(column) for column in history}
    reasons = _reasons(explanation, values, words, policy, closed)
    return UserReasons(user_id=user_id, offers=tuple(reasons))


def _row(users: UserFile, user_id: str) -> int:
    names = users.user_id.to_pandas().astype("str")
    rows = np.flatnonzero(names == user_id)
    if not len(rows):
        what = say("no user `{user_id}` among {users:,}", user_id=user_id, users=users.n_users)
        wanted = say("an id like `{example}`", example=names.iloc[0])
        raise DataError(Fault("USER_ID", what, wanted))
    return int(rows[0])


def _closed(policy: Policy, features: pd.DataFrame) -> set[str]:
    """Return the offers that the policy's rules keep from the one user."""
    named = {name for rule in policy.eligibility for name in rule.where}
    user = pa.Table.from_pandas(features[sorted(named)], preserve_index=False)
    refused = [rule for rule in policy.eligibility if not matches(user, rule.where)[0]]
    return {offer for rule in refused for offer in rule.offers}


def _reasons(
    found: Explanation,
    values: dict[str, str],
    words: dict[str, Message],
    policy: Policy,
    closed: set[str],
) -> list[OfferReasons]:
    reasons = []
    for offer in policy.offer_ids:
        j = found.offers.index(offer)
        order = np.argsort(-np.abs(found.contribution[0, j]), kind="stable")
        parts = [EffectPart(name="average", value="", adds=float(found.average[j]))]
        for feature in order:
            name, adds = found.features[feature], float(found.contribution[0, j, feature])
            if adds:
                meaning = words.get(name)
                parts.append(EffectPart(name=name, value=values[name], adds=adds, words=meaning))
        if abs(found.repair[0, j]) > 1e-12:
            ladder = EffectPart(
                name="order of the ladder", value="", adds=float(found.repair[0, j])
            )
            parts.append(ladder)
        reasons.append(
            OfferReasons(
                offer=offer,
                eligible=offer not in closed,
                effect=float(found.effect[0, j]),
                parts=tuple(parts),
            )
        )
    return reasons


def _word(value: float | str | datetime | NaTType | None) -> str:
    if pd.isna(value):
        return "missing"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).removesuffix(" 00:00:00")


def _line(part: EffectPart) -> Message:
    name: Text = named("explain", part.name.rpartition(" ")[2])
    if part.value:
        value = named("explain", part.value)
        if part.words is not None:
            words = say("explain.history", words=part.words, value=value, feature=part.name)
            return say("explain.part", adds=100 * part.adds, name=words)
        name = say("explain.value", name=part.name, value=value)
    return say("explain.part", adds=100 * part.adds, name=name)
