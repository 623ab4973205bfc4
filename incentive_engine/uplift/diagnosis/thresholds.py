"""What the checks of a trial bear with, and from where on they warn or refuse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.knobs import Knobs, knob


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisParams(Knobs):
    """What the checks of a trial bear with, and from where on they warn or refuse."""

    ratio_alarms: float = knob(0.001, 1e-9, 0.5)
    """How often arms are said to have wrong sizes where they have not, over all strata
    together."""
    ratio_rows: int = knob(20, 1, 10**6)
    """Rows that an arm should have in a stratum; with fewer, chi-square is no approximation."""
    size_errors: float = knob(5, 1.0, 100.0)
    """Standard errors by which arms may stand for other numbers of people; at 5, right
    propensities are doubted once in two million arms."""
    size_factor: float = knob(1.5, 1.0, 100.0)
    """An arm that stands for more people than there are by this factor has wrong propensities,
    and so has control that stands for fewer; an offer may stand for fewer because not all could
    get it."""
    balance_alarms: float = knob(0.01, 1e-9, 0.5)
    """How often any imbalance is found where there is none, over all features and arms."""
    balance_rows: int = knob(100, 2, 10**6)
    """Rows that both sides need; with fewer, a mean over its error has fatter tails than a
    normal."""
    certain_z: float = knob(8.0, 1.0, 100.0)
    """Standard errors from which on an imbalance is no chance."""
    other_people: float = knob(0.1, 0.0, 10.0)
    """Standard deviations of a certain imbalance from which on those who got an offer were other
    people."""
    after_offer: float = knob(0.5, 0.0, 10.0)
    """Standard deviations from which on a feature says which arm a row got: it came after the
    offer."""
    leak_refused: float = knob(0.95, 0.5, 1.0)
    """Area under the ROC curve of a single feature from which on it is refused: what is known
    before an offer stays below."""
    leak_doubted: float = knob(0.9, 0.5, 1.0)
    """The area from which on that is said."""
    leak_events: int = knob(30, 2, 10**6)
    """Events, and others, from which on one can judge by them."""
    arm_conversions: int = knob(30, 1, 10**6)
    """With fewer in an arm, normal intervals are too narrow and effects are mostly noise."""
    trial_conversions: int = knob(100, 1, 10**6)
    """Conversions of all arms together below which effects per user are chance."""
    covered_rows: float = knob(0.5, 0.0, 1.0)
    """Share of the rows that should be of a level with a code of its own."""
    strays: float = knob(0.05, 0.0, 1.0)
    """Share of values that are no numbers up to which the others are taken to be meant."""
    refunds: float = knob(0.1, 0.0, 1.0)
    """Share of the rows with spend that may be negative before that is said."""
    costless_buyers: int = knob(20, 1, 10**6)
    """Buyers of whom some should have redeemed; of a few, perhaps none did."""
    effective_rows: float = knob(0.5, 0.0, 1.0)
    """Share of the trial's rows that reweighting to the users may lose before that is said."""
    reweighted_rows: int = knob(1_000, 10, 10**9)
    """Rows of either side that the weights which make the trial like the users are learned
    from."""


DIAGNOSIS: Final = DiagnosisParams()
"""What the program judges trials by."""
