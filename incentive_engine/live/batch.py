"""Books what a batch hands out into the pool that live decisions draw on."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from incentive_engine.domain import BoolArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.export.selection import Selected
from incentive_engine.language import say
from incentive_engine.live.arrivals import BATCH_SCENE
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.ledger.commands import Answer, Decided, Refused, Reserve
from incentive_engine.live.ledger.ledger import shown_place
from incentive_engine.live.writing.asking import asking
from incentive_engine.pipeline.steps import Progress, quiet


def book(
    campaign: LiveCampaign, selected: Selected, ledger: str, progress: Progress = quiet
) -> BoolArray:
    """Reserve the offers that an export takes; return (m,) bool which of them it may hand out.

    An offer stays out where it does not fit into what is left, and where its user has one
    already. Each reservation has a key of the run and the user, so that the same export again
    books nothing twice; it runs out when the offer cannot be redeemed any more.

    Parameters
    ----------
    progress
        As `open_store` has it.

    Raises
    ------
    DataError
        When the ledger is one of another run, or cannot be written.
    """
    taken: list[bool] = []
    # reservations of one transaction
    at_once = 512
    with asking(campaign.terms, ledger, progress) as ask:
        for batch in selected.batches():
            users = batch.column("user_id").to_pylist()
            for start in range(0, len(users), at_once):
                commands = [_reserve(campaign, user) for user in users[start : start + at_once]]
                taken += [_is_taken(answer, ledger) for answer in ask(commands)]
    return np.array(taken, dtype=np.bool_)


def _reserve(campaign: LiveCampaign, user: int | str) -> Reserve:
    choice = campaign.choose(user)
    assert choice is not None, "the export and the ledger have the same users"
    window = campaign.windows[choice.offer_id] if choice.offer_id is not None else None
    key = f"export {campaign.run.digest} {user}".encode()
    return Reserve(
        key=blake2b(key, digest_size=16).digest(),
        digest=b"export",
        user_id=str(user),
        offer_id=choice.offer_id,
        reason=choice.reason,
        scene=BATCH_SCENE,
        cost=choice.cost,
        face=choice.face,
        claims=choice.claims,
        hold=None,
        until=None if window is None else window.end,
        prices_version=campaign.prices.version,
        propensity=choice.propensity,
    )


def _is_taken(answer: Answer, ledger: str) -> bool:
    if isinstance(answer, Refused):
        what = say("did not book: {reason}", reason=answer.detail or answer.why)
        remedy = "export again: nothing is booked twice"
        raise DataError(Fault(shown_place(ledger), what, remedy=remedy))
    assert isinstance(answer, Decided)
    return answer.decision.scene == BATCH_SCENE and answer.decision.offer_id is not None
