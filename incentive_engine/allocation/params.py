"""The settings of the solver that someone may want to turn, each with its range and effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from incentive_engine.knobs import Knobs, knob


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearParams(Knobs):
    """How long GLOP may work on a linear program, and by which routes."""

    effort: float = knob(0.5, 1e-12, 1e4)
    """What the first try of each route may take, in seconds of GLOP's own deterministic clock:
    some times what programs took that it solves. Wall time would not be reproducible."""
    effort_per_entry: float = knob(1e-5, 0.0, 1.0)
    """The same for each entry of the program's matrix, in addition."""
    routes: tuple[str, ...] = (
        "use_dual_simplex: true dual_price_prioritize_norm: true",
        "use_dual_simplex: false",
        "use_dual_simplex: false use_preprocessing: false",
        "use_dual_simplex: true use_preprocessing: false use_scaling: false",
    )
    """GLOP's settings, in the order of the tries: it gives up on some degenerate programs, or runs
    in circles on them for ever, and solves them by another route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaxationParams(Knobs):
    """How the cheapest way out is looked for where limits cannot all hold."""

    whole_pairs: int = knob(2_000, 0, 10**6)
    """Up to so many pairs, relaxations are found by an exact integer program."""
    effort: float = knob(5.0, 1e-6, 1e4)
    """CP-SAT's deterministic seconds for each integer question."""
    negligible: float = knob(1e-7, 1e-15, 1.0)
    """A relaxation of this share of a bound is rounding."""
    gap: float = knob(1e-3, 0.0, 1.0)
    """The relative gap at which the cheapest relaxation is cheap enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveParams(Knobs):
    """What is taken over from one budget to another, and how the last money is measured."""

    margin: float = knob(0.02, 1e-6, 1.0)
    """The marginal return is what the last part of this size of the money brought."""
    radius: float = knob(0.1, 1e-6, 1.0)
    """How far prices are looked for around those of a similar problem."""
    close_radius: float = knob(0.03, 1e-6, 1.0)
    """How far they are looked for around those of a budget that differs by `margin`. The narrower,
    the fewer users are looked at; where prices lie at the edge, they are looked for further."""
    related: float = knob(1.25, 1.0, 1e6)
    """Budgets further apart than by this factor have little to tell each other about prices: half
    their users change, and the linear program of those near a tie leads astray."""
    sampled_beyond: int = knob(1_000_000, 0, 10**12)
    """Beyond so many users the prices of a page's budgets come from a sample."""
    sample: int = knob(300_000, 100, 10**9)
    """Users of that sample: its prices are right to some parts in a thousand, and what they buy is
    worth a budget's optimum to the square of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveParams(Knobs):
    """How hard the solver works, and on how many users at a time.

    The stages of a solve, in order: prices of ever larger samples, prices of everybody among the
    users whose choice is open (Newton steps, then linear programs), and the integer plan
    (rounded prices, a first integer program, exchanges, small programs in turns, a last one).
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
    curvature_users: int = knob(6_000, 10, 10**6)
    """Users that the second derivatives of these steps are taken from: they need to be right
    within a tenth."""
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
    tied_users: int = knob(250, 0, 10**6)
    """So many tied users are left to the integer program, which does better than filling in."""
    fitted_changes: int = knob(600, 2, 10_000)
    """Changes that are put together to hit narrow bounds, those that lose least; the sets of two
    that are looked at grow with their square."""
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
    quick_effort: float = knob(1 / 30, 1e-6, 100.0)
    """Which part of the usual effort goes to a small program: a single node."""
    last_growth: int = knob(3, 1, 1_000)
    """How many times as many users as are near a tie the last program may have where the gap is
    wide, though that takes seconds."""
    risk_plans: int = knob(6, 1, 1_000)
    """Expected costs that are tried for a budget at risk; three do, unless a few users carry the
    whole budget."""
    risk_gap: float = knob(1e-4, 1e-12, 0.1)
    """That search ends when the quantile is within this part of the amount."""
    linear: LinearParams = field(default_factory=LinearParams)
    relaxation: RelaxationParams = field(default_factory=RelaxationParams)
    curve: CurveParams = field(default_factory=CurveParams)


PLAN: Final = SolveParams()
"""For a plan that is paid out."""

CURVE: Final = SolveParams(price_gap=1e-6)
"""For points of a curve, which is looked at and not paid out."""

PAGE: Final = SolveParams(price_gap=1e-4, sample_price_gap=1e-3, core_users=1_000)
"""For points that are drawn on a page: their error is a tenth of a pixel."""
