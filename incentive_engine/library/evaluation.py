"""How good a model is: tables, and a plot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from incentive_engine.insight.evaluation.model_quality import model_quality
from incentive_engine.insight.evaluation.tables import evaluation_tables
from incentive_engine.language import Code, language
from incentive_engine.library.html import grid, number
from incentive_engine.pipeline.quality import evaluation_text, quality_of
from incentive_engine.report.pages.model_quality import gain_chart
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.diagnosis.verdicts import Diagnosis
from incentive_engine.uplift.evaluation import evaluation as uplift

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing with its caption and its numbers as a table; notebooks show it."""

    html: str

    @property
    def svg(self) -> str:
        """The drawing alone."""
        return self.html[self.html.index("<svg") : self.html.index("</svg>") + len("</svg>")]

    def save(self, path: str | Path) -> None:
        """Write the drawing as an SVG file."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Plot({len(self.svg):,} characters of SVG)"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evaluation:
    """How good a model is on the trial that it learned from, by models that never saw the rows.

    Attributes
    ----------
    evaluation, diagnosis
        The figures behind the tables, and the checks of the trial.
    currency
        The unit of costs.
    """

    evaluation: uplift.ModelEvaluation
    diagnosis: Diagnosis
    currency: str

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; effects per user, `_low` and `_high` are 95 % intervals."""
        return evaluation_tables(self.evaluation, self.diagnosis)

    @property
    def offers(self) -> pd.DataFrame:
        """One row per offer: what it changes, Qini, AUUC, slopes of calibration."""
        return self.tables["offers"]

    @property
    def calibration(self) -> pd.DataFrame:
        """Predicted against observed, by offer and group of users."""
        return self.tables["calibration"]

    @property
    def curve(self) -> pd.DataFrame:
        """Conversions per user of plans by the model and by constant effects, by budget."""
        return self.tables["curve"]

    @property
    def checks(self) -> pd.DataFrame:
        """One row per check of the trial."""
        return self.tables["checks"]

    @property
    def effects_differ(self) -> bool:
        """Whether effects measurably differ between users."""
        return self.evaluation.heterogeneity.found

    def area_over_constant(self) -> Estimate:
        """Return the area between the curves of the model and of constant effects."""
        return self.evaluation.curve.area_over_constant

    def plot(self, lang: Code = "en") -> Plot:
        """Return the curve of conversions by budget, with its band, per 1,000 people."""
        # by way of the file's text, so that a model in memory shows what a saved one does
        content = json.loads(evaluation_text(self.diagnosis, self.evaluation.to_dict(), {}))
        quality = model_quality(quality_of(content))
        assert quality is not None
        drawing = gain_chart(language(lang), quality, currency=self.currency)
        return Plot(html=str(drawing))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {table.shape}" for name, table in self.tables.items())
        return f"Evaluation({self.evaluation.rows:,} trial rows; {shapes})"

    def _repr_html_(self) -> str:
        rows = [
            [
                offer.offer,
                _per_thousand(offer.conversion),
                _per_thousand(offer.qini),
                number(offer.effect_slope.value) if offer.effect_slope else "–",
            ]
            for offer in self.evaluation.offers
        ]
        head = ["offer", "conversions per 1,000", "Qini per 1,000", "slope of effects"]
        return grid(head, rows) + self.plot().html


def _per_thousand(found: Estimate) -> str:
    rate = found.times(1000)
    return f"{rate.value:,.2f} ({rate.low:,.2f} to {rate.high:,.2f})"
