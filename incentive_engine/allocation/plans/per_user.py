"""What a plan says of each user: why, by what chance, how far ahead; and who can get none."""

# ruff: noqa: PLR0917 - numba takes no keyword-only arguments

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.population.from_problem import users_of
from incentive_engine.allocation.population.kernels.score_kernels import KernelColumns, exact_score
from incentive_engine.allocation.population.limit_maps import rows_of
from incentive_engine.allocation.population.passes import in_parts
from incentive_engine.allocation.problem import Problem
from incentive_engine.data.tables.mapped_pages import let_go
from incentive_engine.data.tables.scratch import strides
from incentive_engine.domain import ChoiceArray, FloatArray, Floats, Reason
from incentive_engine.errors import Fault, InfeasibleError
from incentive_engine.jit import compiled
from incentive_engine.language import say


def reasons(problem: Problem, choice: ChoiceArray) -> npt.NDArray[np.int8]:
    """Return (n,) int8: why each user gets an offer or none, as a place in `domain.Reason`."""
    best = _best(problem)
    eligible, helped = best > -np.inf, best > 0
    code = {reason: np.int8(place) for place, reason in enumerate(Reason)}
    reason = np.where(helped, code[Reason.PRICED_OUT], code[Reason.NO_GAIN])
    reason[~eligible] = code[Reason.INELIGIBLE]
    reason[choice >= 0] = code[Reason.OFFERED]
    if problem.holdout is not None:
        reason[problem.holdout] = code[Reason.HOLDOUT]
    if (explorers := problem.explorers) is not None:
        reason[explorers.users[explorers.choice < 0]] = code[Reason.EXPLORED]
    return reason


def _best(problem: Problem) -> Floats:
    """Return (n,) the value of each user's best offer, −inf where none is eligible."""
    best = np.empty(problem.n_users, dtype=problem.value.dtype)
    for rows in strides(problem.n_users):
        best[rows] = problem.value[:, rows].max(axis=0)
        let_go()
    return best


def check_forced(problem: Problem, *, first: int = 0) -> None:
    """Refuse users who must get an offer and may get none.

    Parameters
    ----------
    first
        How many users of a larger problem stand before these.

    Raises
    ------
    InfeasibleError
        When there are any; it names their rows.
    """
    if not problem.exactly_one:
        return
    free = _best(problem) == -np.inf
    if problem.holdout is not None:
        free &= ~problem.holdout
    if problem.explorers is not None:
        free[problem.explorers.users] = False
    if free.any():
        some = ", ".join(str(row + 1 + first) for row in np.flatnonzero(free)[:3])
        raise InfeasibleError(
            Fault(
                "assignment",
                say(
                    "exactly_one, but {count} users have no eligible offer (first rows: {some})",
                    count=free.sum(),
                    some=some,
                ),
                "an eligible offer for everyone",
                "widen the eligibility, or use at_most_one",
            )
        )


def propensities(problem: Problem, held: FloatArray) -> FloatArray:
    """Return (n,) float64, how likely each user's arm was where chance decided, else 1.

    Parameters
    ----------
    held
        (n,) float64, which share of the user's stratum is held out.
    """
    propensity = np.ones(problem.n_users)
    if problem.holdout is not None:
        propensity[problem.holdout] = held[problem.holdout]
    if problem.explorers is not None:
        propensity[problem.explorers.users] = problem.explorers.propensity
    return propensity


def margins(problem: Problem, choice: ChoiceArray, prices: Mapping[str, float]) -> FloatArray:
    """Return (n,) float64 what each user's choice is ahead of the next one, in the value's units.

    Parameters
    ----------
    choice
        (n,) int16, index into the problem's offers, −1 for none.
    prices
        Limit name to price.

    Returns
    -------
    The score of the choice at the prices (value − Σ price·usage; 0 without an offer) less the
    best score among all other eligible offers and, unless everybody gets one, no offer. It is
    negative where whole offers made a user settle for less than the prices alone would give.
    NaN for users who have nothing to choose between: the holdout, explorers, those without an
    eligible offer, and those with only one where everybody gets one.
    """
    users = users_of(problem)
    rows = rows_of(problem, users, problem.enforced)
    in_order = np.array([prices.get(name, 0.0) for name in rows.names], dtype=np.float64)
    price = rows.prices_of_pairs(in_order, users.shape)
    place = np.append(np.argsort(users.order), -1).astype(np.int16)
    pairs, ahead = users.pairs, np.empty(users.n)
    in_parts(
        lambda start, stop, out: _ahead(pairs, price, place, choice, start, stop, out),
        n=users.n,
        make=lambda: ahead,
    )
    ahead[problem.explores] = np.nan
    return ahead


@compiled
def _ahead(
    pairs: KernelColumns,
    price: FloatArray,
    place: npt.NDArray[np.int16],
    choice: ChoiceArray,
    start: int,
    stop: int,
    ahead: FloatArray,
) -> None:
    """Write the score of each user's choice less the best other one."""
    nothing = -np.inf if pairs.forced else 0.0
    for user in range(start, stop):
        chosen = place[choice[user]]
        own = nothing
        other = nothing if chosen >= 0 else -np.inf
        for at in range(pairs.order.shape[0]):
            if pairs.value[pairs.order[at], user] > -np.inf:
                score = exact_score(pairs, price, user, at)
                if at == chosen:
                    own = score
                elif score > other:
                    other = score
        ahead[user] = own - other if own > -np.inf and other > -np.inf else np.nan
