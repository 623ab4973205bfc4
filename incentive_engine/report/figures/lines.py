"""Lines of strategies, each in its own colour on every chart."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from incentive_engine.report.figures.charts import Colour, Series
from incentive_engine.simulation.strategy.traits import TRAITS


def lines_of(table: pd.DataFrame, x: str, y: str) -> Iterator[Series]:
    """Yield a line per strategy, with its interval where the table has one."""
    for strategy in dict.fromkeys(table["strategy"]):
        mine = table[table["strategy"] == strategy]
        if not mine[y].notna().any():
            continue
        band = f"{y}_low" in mine and mine[f"{y}_low"].notna().all()
        colours = {
            "engine": "#0b5a8a",
            "engine-unweighted": "#4b9cd3",
            "engine-learning": "#17693a",
            "engine-naive": "#c2410c",
            "oracle": "#1d2733",
            "oracle-unweighted": "#66717f",
            "greedy": "#17693a",
            "propensity": "#c2410c",
            "tier-rules": "#a3231a",
            "first-come": "#b45309",
            "everyone": "#7c3aed",
            "nobody": "#a9b5c1",
        }
        yield Series(
            label=str(strategy),
            x=mine[x].tolist(),
            y=mine[y].tolist(),
            low=mine[f"{y}_low"].tolist() if band else (),
            high=mine[f"{y}_high"].tolist() if band else (),
            colour=colours.get(str(strategy), Colour.MUTED),
            dashed=TRAITS[strategy].is_mark,
        )
