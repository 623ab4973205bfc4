"""A run of six users that one can solve by hand, written without the code that writes runs.

Two offers: ``a`` for everybody, ``b`` for 88VIP only. Budget 4, stock of one ``b``. A user's
weight is 3 for 88VIP, times (x / 100)^0.5 of the spend of the last year:

====  =====  ======  =======  ==============  ==============  ======================
user  tier   region  weight   a: value, cost  b: value, cost  decided
====  =====  ======  =======  ==============  ==============  ======================
101   88VIP  east    3 x 2    0.60, 1.000001  1.20, 3         b
102   88VIP  west    3 x 1    0.24, 1         0.27, 2.5       a
103   gold   east    1        0.06, 1.5       forbidden       none: priced out
104   gold   west    1        score missing   forbidden       none: ineligible
105   gold   east    1        -0.01, 1        forbidden       none: no gain
106   -      west    1        0.05, 1         forbidden       none: holdout
====  =====  ======  =======  ==============  ==============  ======================

Value 1.2 + 0.24 = 1.44 for a cost of exactly 4. At the budget's price 0.24 user 101 nets
1.2 - 0.72 = 0.48 and the others 0, so the bound is 0.48 + 0.24 x 4 = 1.44 and the gap is 0.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from incentive_engine.data.hashing import hash_ids
from incentive_engine.data.trials.holdout import holdout_key

USERS = (101, 102, 103, 104, 105, 106)
SEED = 2


def policy_by_hand() -> dict[str, Any]:
    return {
        "version": 1,
        "name": "by hand",
        "offers": [{"id": "a", "face_value": 10.0}, {"id": "b", "face_value": 20.0}],
        "objective": {
            "maximise": "conversion",
            "weight": [
                {"column": "tier", "values": {"88VIP": 3.0}},
                {"column": "spend_12m", "power": 0.5},
            ],
        },
        "eligibility": [{"offers": ["b"], "where": {"tier": "88VIP"}}],
        "limits": [
            {"name": "vip floor", "sum": "cost", "where": {"tier": "88VIP"}, "at_least": "50%"},
            {"name": "region cap", "sum": "cost", "for_each": "region", "at_most": "80%"},
            {"name": "stock", "sum": "issued", "offers": ["b"], "at_most": 1.0},
            {"name": "roi", "ratio": ["spend", "cost"], "at_least": 1.5},
            {
                "name": "watch",
                "sum": "issued",
                "where": {"tier": ["88VIP", "gold"]},
                "at_most": 1.0,
                "report_only": True,
            },
        ],
        "budget": {"amount": 4.0},
        "holdout": 0.17,
        "seed": SEED,
    }


def scores_by_hand() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": np.array(USERS, dtype=np.int64),
            "tier": ["88VIP", "88VIP", "gold", "gold", "gold", None],
            "region": ["east", "west", "east", "west", "east", "west"],
            "spend_12m": [400.0, 100.0, 100.0, 100.0, np.nan, 100.0],
            "conversion__a": [0.10, 0.08, 0.06, np.nan, -0.01, 0.05],
            "conversion__b": [0.20, 0.09, 0.50, 0.50, 0.50, 0.50],
            "cost__a": [1.0000004, 1.0, 1.5, 1.0, 1.0, 1.0],
            "cost__b": [3.0, 2.5, 1.0, 1.0, 1.0, 1.0],
            "spend__a": [5.0, 3.0, 2.0, 1.0, 1.0, 1.0],
            "spend__b": [9.0, 6.0, 2.0, 1.0, 1.0, 1.0],
        }
    )


def rows_by_hand() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": np.array(USERS, dtype=np.int64),
            "offer_id": ["b", "a", None, None, None, None],
            "conversion": [0.20, 0.08, 0.0, 0.0, 0.0, 0.0],
            "spend": [9.0, 3.0, 0.0, 0.0, 0.0, 0.0],
            "cost": [3.0, 1.0, 0.0, 0.0, 0.0, 0.0],
            "cost_micros": np.array([3_000_000, 1_000_000, 0, 0, 0, 0], dtype=np.int64),
            "weight": [6.0, 3.0, 1.0, 1.0, 1.0, 1.0],
            "reason": ["offered", "offered", "priced_out", "ineligible", "no_gain", "holdout"],
            "propensity": [1.0, 1.0, 1.0, 1.0, 1.0, 1 / 6],
            "margin": [0.48 - (0.6 - 0.24 * 1.000001), 0.0, 0.3, np.nan, 0.25, np.nan],
            "smallest_budget": np.full(6, np.nan),
        }
    )


def limit(name: str, **stated: Any) -> dict[str, Any]:
    return {"name": name, "at_most": None, "at_least": None, "price": 0.0, **stated}


def certificate_by_hand() -> dict[str, Any]:
    return {
        "value": 1.44,
        "bound": 1.44,
        "gap": 0.0,
        "feasible": True,
        "users": 6,
        "treated": 2,
        "budget": {"amount": 4.0, "basis": "expected", "spent": 4.0, "spent_face": 30.0},
        "returns": {"spend": 12.0, "cost": 4.0, "roi": 3.0, "marginal_roi": None},
        "mandate": {"min_roi": None, "min_marginal_roi": None, "cap": None},
        "limits": [
            limit("vip floor", at_least=2.0, usage=4.0, slack=2.0),
            limit("region cap[east]", at_most=3.2, usage=3.0, slack=0.2),
            limit("region cap[west]", at_most=3.2, usage=1.0, slack=2.2),
            limit("stock", at_most=1.0, usage=1.0, slack=0.0),
            limit(
                "roi",
                at_most=0.0,
                usage=-6.0,
                slack=6.0,
                ratio={"at_most": None, "at_least": 1.5, "usage": 3.0},
            ),
            limit("watch", at_most=1.0, usage=2.0, slack=-1.0, price=None, report_only=True),
            limit("budget", at_most=4.0, usage=4.0, slack=0.0, price=0.24),
        ],
    }


def evaluation_by_hand() -> dict[str, Any]:
    return {"plan": gain_by_hand()}


def gain_by_hand() -> dict[str, Any]:
    """Return what a trial of ten rows says of the five users outside the holdout."""
    return {
        "rows": 10,
        "users": 5,
        "baseline": {"conversion_rate": 0.1, "median_basket": 100.0},
        "conversions": {"estimate": 0.3, "low": 0.1, "high": 0.5},
        "spend": {"estimate": 12.0, "low": 1.0, "high": 23.0},
        "cost": {"estimate": 4.0, "low": 3.0, "high": 5.0},
    }


@dataclass(kw_only=True)
class HandMadeRun:
    """The parts of a run; change any of them, then write.

    The frames are Any, since the stubs of pandas refuse to set a cell by row and column.
    """

    policy: dict[str, Any] = field(default_factory=policy_by_hand)
    policy_file: dict[str, Any] | None = field(default_factory=policy_by_hand)
    overrides: dict[str, Any] = field(default_factory=dict)
    scores: Any = field(default_factory=scores_by_hand)
    rows: Any = field(default_factory=rows_by_hand)
    certificate: dict[str, Any] = field(default_factory=certificate_by_hand)
    manifest: dict[str, Any] = field(default_factory=dict)
    frozen: dict[str, Any] = field(default_factory=dict)
    """What frozen_policy.json says otherwise than `frozen_by_hand`."""
    prices: dict[str, Any] = field(default_factory=lambda: {"settled": 1})
    """What prices.json says beside the certificate's prices: 102 nets as much without `a`."""
    evaluation: dict[str, Any] | None = None
    """Written with a trial among the inputs."""

    def limit(self, name: str) -> dict[str, Any]:
        """Return the certificate's entry, to change it in place."""
        found: dict[str, Any] = next(x for x in self.certificate["limits"] if x["name"] == name)
        return found

    def write(self, directory: Path) -> Path:
        """Write all files, the manifest with fresh digests last."""
        directory.mkdir()
        self.rows.to_parquet(directory / "allocation.parquet", index=False)
        self.scores.to_parquet(directory / "scores.parquet", index=False)
        dump(directory / "certificate.json", self.certificate)
        (directory / "report.html").write_text("<!doctype html>", encoding="utf-8")
        if self.policy_file is not None:
            text = yaml.safe_dump(self.policy_file, allow_unicode=True)
            (directory / "policy.yaml").write_text(text, encoding="utf-8")
        frozen = frozen_by_hand(self.policy, self.scores) | self.frozen
        dump(directory / "frozen_policy.json", frozen)
        dump(directory / "prices.json", prices_by_hand(frozen, self.certificate) | self.prices)
        inputs = {"scores": given(directory / "scores.parquet", len(self.scores), as_given=True)}
        if self.evaluation is not None:
            dump(directory / "evaluation.json", self.evaluation)
            inputs["trial"] = {"path": "trial.parquet", "sha256": "ab" * 32}
        if self.policy_file is not None:
            inputs["policy"] = given(directory / "policy.yaml", None, as_given=True)
        stated = {
            "seed": self.policy.get("seed", 0),
            "holdout": {"share": self.policy.get("holdout", 0.0), "users": 1},
            "explored": {"share": 0.0, "users": 0},
            "inputs": inputs,
        } | self.manifest
        seal(directory, policy=self.policy, overrides=self.overrides, **stated)
        return directory


def frozen_by_hand(policy: dict[str, Any], scores: pd.DataFrame) -> dict[str, Any]:
    """Return what a policy means for one of these users; of a forged one as far as it can be."""
    limits, factors = policy.get("limits", []), policy.get("objective", {}).get("weight", [])
    named = [factor["column"] for factor in factors]
    for rule in (*policy.get("eligibility", []), *limits):
        named += [*rule.get("where", {}), *([rule["for_each"]] if "for_each" in rule else [])]
    columns = [name for name in dict.fromkeys(named) if name in scores]
    measures = ["conversion", "cost", *(["spend"] if "spend__a" in scores else [])]
    held = ranked(scores["user_id"].tolist(), policy.get("seed", 0))[:1]
    return {
        "format": 2,
        "policy": policy,
        "measures": measures,
        "kinds": {name: KINDS[scores[name].dtype.kind] for name in columns},
        "medians": [
            None if "power" not in factor else float(scores[factor["column"]].median())
            for factor in factors
        ],
        "groups": [
            sorted(scores[x["for_each"]].dropna().unique()) if "for_each" in x else None
            for x in limits
        ],
        "holdout": [{"stratum": [], "highest": held[0], "share": 1 / len(scores)}]
        if policy.get("holdout")
        else [],
        "explored": -1,
    }


KINDS = {"O": "text", "f": "number", "i": "integer", "b": "truth", "M": "time"}


def ranked(ids: list[Any], seed: int) -> list[int]:
    """Return the ranks of the holdout's draw, the lowest first."""
    column = pa.array(ids, from_pandas=True).drop_null()
    return sorted(int(rank) for rank in hash_ids(column, holdout_key(seed)))


def prices_by_hand(frozen: dict[str, Any], certificate: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(frozen, ensure_ascii=False, sort_keys=True)
    prices = {x["name"]: x.get("price") for x in certificate["limits"]}
    return {
        "version": 0,
        "frozen_policy": hashlib.sha256(text.encode()).hexdigest(),
        "prices": {name: price for name, price in prices.items() if price is not None},
    }


def given(path: Path, rows: int | None, **more: Any) -> dict[str, Any]:
    """Return what a manifest says of an input that a run holds as it was given."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"path": f"/elsewhere/{path.name}", "sha256": digest, "rows": rows, **more}


def seal(directory: Path, **manifest: Any) -> None:
    """Write manifest.json with the digests of the files as they are."""
    outputs = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
        }
        for path in sorted(directory.iterdir())
        if path.name != "manifest.json"
    }
    content = {
        "format": 3, "engine": "0.1.0", "source": "cd" * 32, "policy_file": None, "author": None,
        "created": None, "solver": {}, "seconds": {}, "versions": {}, "outputs": outputs,
        **manifest,
    }  # fmt: skip
    dump(directory / "manifest.json", content)


def reseal(directory: Path) -> None:
    """Make the digests anew after a file was changed by hand."""
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    del manifest["outputs"]
    seal(directory, **manifest)


def dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
