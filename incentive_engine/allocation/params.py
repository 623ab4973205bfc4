"""The settings of the solver that someone may want to turn, each with its range and effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from incentive_engine.config.knobs import knob, out_of_range
from incentive_engine.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveParams:
    """How hard the solver works, and on how many users at a time.

    The stages of a solve, in order: prices of ever larger samples, prices of everybody among the
    users whose choice is open (Newton steps, then linear programs), and the integer plan
    (rounded prices, a first integer program, exchanges, small programs in turns, a last one).

    Raises
    ------
    ConfigError
        When a setting is out of its range.
    """

    first_sample: int = knob(1_000, 100, 10**7)
    """Users in the first sample. More make its prices better and its linear program slower."""
    sample_growth: int = knob(12, 2, 1_000)
    """How many times larger each next sample is."""
    largest_sample: int = knob(150_000, 100, 10**9)
    """No sample is larger: it would cost more to take than its better prices save."""
    sample_price_gap: float = knob(1e-5, 1e-15, 1.0)
    """The relative gap at which a sample's prices are good enough to start from."""
    price_gap: float = knob(1e-10, 1e-15, 1.0)
    """ε, the relative gap between model and dual at which prices are optimal."""
    newton_steps: int = knob(10, 0, 1_000)
    """Steps without a linear program, at most."""
    price_steps: int = knob(40, 1, 10_000)
    """Linear programs per sample, at most."""
    core_users: int = knob(2_000, 10, 10**6)
    """Users that choose freely in a linear program; it grows when steps fail."""
    largest_core_users: int = knob(12_000, 10, 10**6)
    """Users that choose freely in the largest one."""
    plan_gap: float = knob(3e-7, 0.0, 1.0)
    """The relative gap at which the search for a plan ends. Simulations, which solve hundreds of
    problems, need less than a plan that is paid out."""
    offer_share: float = knob(0.01, 0.0, 1.0)
    """A plan within this part of an average offer's value of the bound is good enough, too."""
    program_share: float = knob(0.1, 0.0, 1.0)
    """Within this part it is not worth the time that integer programs take."""
    whole_users: int = knob(300, 0, 10_000)
    """Up to so many users the integer program has all of them, and all their offers."""
    proof_effort: float = knob(100.0, 0.01, 1e4)
    """How many times the usual effort may go to a program of everybody, for a proof; up to three
    times as much where it is small."""
    first_program_users: int = knob(150, 1, 10_000)
    """Users in the first integer program: those whose choice costs least to change."""
    largest_program_users: int = knob(4_000, 1, 100_000)
    """Users in the largest one, for plans that fewer users cannot repair."""
    near_users: int = knob(1_000, 1, 10**6)
    """Users nearest a tie, of whom each turn of exchanges and small programs has some."""
    exchange_users: int = knob(400, 2, 10**5)
    """Users among whom a turn of exchanges is looked for."""
    turn_users: int = knob(150, 1, 10**5)
    """Users in each of the small programs that take turns."""
    turns: int = knob(30, 0, 10_000)
    """Turns of exchanges, and of small programs, at most."""

    def __post_init__(self) -> None:
        if faults := out_of_range(self):
            raise ConfigError(*faults)


PLAN: Final = SolveParams()
"""For a plan that is paid out."""

CURVE: Final = SolveParams(price_gap=1e-6)
"""For points of a curve, which is looked at and not paid out."""

PAGE: Final = SolveParams(price_gap=1e-4, sample_price_gap=1e-3, core_users=1_000)
"""For points that are drawn on a page: their error is a tenth of a pixel."""
