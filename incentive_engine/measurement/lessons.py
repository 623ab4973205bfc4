"""Where a campaign departs from its plan, in a planner's words, and what to do differently."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from incentive_engine.language import Message, say
from incentive_engine.stats.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How many conversions lie between the sum of the scores and what was measured.

    Attributes
    ----------
    scores
        Of the plan.
    rules
        Conversions by the scores that the plan has beyond one within the budget alone; below
        zero, this is what the limits cost.
    optimism
        What the trial had taken off the scores before; None where scores were given.
    traffic, pacing
        Of live decisions: the plan of those who came, less the plan; and what they were given,
        less the plan of theirs. None where a batch decided.
    execution
        Offers that did not arrive, or others that did, by their scores; None where unknown.
    redemption
        Offers redeemed less or more than forecast, as if conversions went with them; None where
        unknown.
    rest
        The error of the model beyond all that, and chance; with the interval of what was measured.
    """

    scores: float
    rules: float | None
    optimism: float | None
    traffic: float | None
    pacing: float | None
    execution: float | None
    redemption: float | None
    rest: Estimate
    measured: float

    @property
    def parts(self) -> dict[str, float]:
        """The steps from the scores to what is left, in order, those that are known."""
        parts = {
            "optimism": self.optimism,
            "traffic": self.traffic,
            "pacing": self.pacing,
            "execution": self.execution,
            "redemption": self.redemption,
        }
        return {name: part for name, part in parts.items() if part is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One part of the way from plan to outcome.

    Attributes
    ----------
    part
        `rules`, `optimism`, `traffic`, `pacing`, `execution`, `redemption` or `model`.
    what, advice
        What happened, and what to do differently.
    """

    part: str
    conversions: float
    what: Message
    advice: Message

    @property
    def as_line(self) -> Message:
        """Both as one line of the terminal."""
        return say("lesson.line", what=self.what, advice=self.advice)

    def to_dict(self) -> dict[str, str | float]:
        """Return it for programs."""
        return {
            "part": self.part,
            "conversions": self.conversions,
            "what": str(self.what),
            "advice": str(self.advice),
        }


def lessons(split: Split) -> tuple[Lesson, ...]:
    """Return the parts that are worth a word, in the order in which they arise."""
    return tuple(_lessons(split))


def _lessons(split: Split) -> Iterator[Lesson]:
    # parts below this share of the plan's conversions are no lesson
    small = 0.05
    least = small * max(abs(split.scores), 1.0)
    for part, conversions in {"rules": split.rules or 0.0, **split.parts}.items():
        if abs(conversions) < least:
            continue
        way = "more" if conversions > 0 else "less"
        yield Lesson(
            part=part,
            conversions=conversions,
            what=say(f"lesson.{part}.{way}", conversions=abs(conversions)),
            advice=say(f"lesson.{part}.advice_{way}"),
        )
    remainder = split.rest
    if not remainder.has_interval:
        return
    way = "more" if remainder.low > 0 else "less" if remainder.high < 0 else "chance"
    yield Lesson(
        part="model",
        conversions=remainder.value,
        what=say(
            f"lesson.model.{way}",
            conversions=abs(remainder.value),
            low=remainder.low,
            high=remainder.high,
        ),
        advice=say(f"lesson.model.advice_{way}"),
    )
