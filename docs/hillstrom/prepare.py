"""Split the Hillstrom e-mail experiment into two halves that the engine reads.

    python docs/hillstrom/prepare.py hillstrom.parquet build/hillstrom

writes ``trial.parquet`` (the half to learn from), ``users.parquet`` (the customers of the other
half, without arms and outcomes), ``heldout.parquet`` (the arms and outcomes of the other half, to
value a plan by) and ``all.parquet`` (both halves, to be replayed). An e-mail costs 0.10 USD here,
a price of our own: the experiment has none.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ARMS = {"No E-Mail": "control", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
EMAIL_COST = 0.10
FEATURES = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
SEED = 2008


def main(source: Path, target: Path) -> None:
    """Write the two halves of `source` into the folder `target`."""
    raw = pd.read_parquet(source)
    trial = raw[FEATURES].assign(
        user_id=[f"H{row:05d}" for row in range(len(raw))],
        offer=raw["segment"].map(ARMS),
        conversion=raw["conversion"],
        spend=raw["spend"],
        propensity=1 / 3,
    )
    trial["cost"] = np.where(trial["offer"] == "control", 0.0, EMAIL_COST)
    learn = np.random.default_rng(SEED).permutation(len(trial)) < len(trial) // 2
    target.mkdir(parents=True, exist_ok=True)
    trial.to_parquet(target / "all.parquet", index=False)
    trial[learn].to_parquet(target / "trial.parquet", index=False)
    trial[~learn].to_parquet(target / "heldout.parquet", index=False)
    trial.loc[~learn, ["user_id", *FEATURES]].to_parquet(target / "users.parquet", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
