"""Public randomised experiments as trials, each split into a half to learn from and one to ask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Policy
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import BoolArray

Parts = tuple[tuple[str, ...], pd.Series, pd.Series, pd.DataFrame]
NOTHING: MappingProxyType[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Real:
    """An experiment in two halves.

    Attributes
    ----------
    asked : (N,) bool
        Which of all rows stand in the half that is asked about.
    """

    name: str
    policy: Policy
    learn: Trial
    ask: Trial
    asked: BoolArray


def read_real(path: Path, *, half: int) -> Real:
    """Read one of the files that this benchmark knows by name.

    Halves 0 and 1 are a split and the same one the other way round, 2 and 3 the next, and so on.
    """
    parts = _parts(path)
    learned = np.random.default_rng(half // 2).random(len(parts[1])) < 0.5
    return _split(path.stem, parts, learned == (half % 2 == 0))


def draw_real(path: Path, *, rows: int, seed: int) -> Real:
    """Read such a file, to learn from so many of its rows and ask all others."""
    parts = _parts(path)
    learned = np.zeros(len(parts[1]), dtype=np.bool_)
    learned[np.random.default_rng(seed).choice(len(learned), rows, replace=False)] = True
    return _split(path.stem, parts, learned)


def _parts(path: Path) -> Parts:
    readers = {
        "hillstrom": _hillstrom,
        "starbucks_train": _starbucks,
        "thornton_incentive": _thornton,
        "welfare_wording": _logged,
        "job_corps": _logged,
    }
    return readers[path.stem](pd.read_parquet(path))


def _split(name: str, parts: Parts, learned: BoolArray) -> Real:
    arms, arm, converted, features = parts
    offers = tuple(Offer(id=arm_name, face_value=1) for arm_name in arms)
    return Real(
        name=name,
        policy=Policy(version=1, name=name, offers=offers),
        learn=_trial(arms, features[learned], arm[learned], converted[learned]),
        ask=_trial(arms, features[~learned], arm[~learned], converted[~learned]),
        asked=~learned,
    )


def _hillstrom(frame: pd.DataFrame) -> Parts:
    arm = frame["segment"].map({"No E-Mail": 0, "Mens E-Mail": 1, "Womens E-Mail": 2})
    features = frame.drop(columns=["segment", "visit", "conversion", "spend"])
    return ("mens", "womens"), arm, frame["visit"], features


def _starbucks(frame: pd.DataFrame) -> Parts:
    arm = frame["promotion"].eq("Yes").astype(int)
    return ("promotion",), arm, frame["purchase"], frame.filter(regex=r"^v\d")


def _thornton(frame: pd.DataFrame) -> Parts:
    known = frame[frame["got"].notna() & frame["tinc"].notna()].reset_index(drop=True)
    amount = known["tinc"]
    large = float(amount[amount > 0].median())
    arm = (amount > 0).astype(int) + (amount > large).astype(int)
    return ("small", "large"), arm, known["got"], known[["distvct", "age", "hiv2004", "villnum"]]


def _logged(frame: pd.DataFrame) -> Parts:
    """Read a table that is a trial's log already."""
    offers = tuple(sorted(set(frame["offer"]) - {"control"}))
    place = {"control": 0, **{offer: at for at, offer in enumerate(offers, start=1)}}
    features = frame.drop(columns=["user_id", "offer", "conversion", "spend"], errors="ignore")
    return offers, frame["offer"].map(place), frame["conversion"], features


def _trial(
    offers: tuple[str, ...], features: pd.DataFrame, arm: pd.Series, converted: pd.Series
) -> Trial:
    code = arm.to_numpy().astype(np.int16)
    shares = np.bincount(code) / len(code)
    outcome = converted.to_numpy(dtype=np.float64)
    return Trial(
        offers=offers,
        user_id=pd.Series(range(len(code))),
        features=features.reset_index(drop=True),
        arm=code,
        conversion=outcome,
        spend=outcome,
        cost=(code > 0).astype(np.float64),
        propensity=shares[code],
        ignored_rows=NOTHING,
        counts=NOTHING,
        warnings=(),
    )
