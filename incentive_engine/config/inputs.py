"""What a policy says of its data, and of what may be learned from them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from incentive_engine.config.access.location import DataPath, Location
from incentive_engine.config.document.models import Model
from incentive_engine.config.document.problems import FieldProblem, reject
from incentive_engine.config.document.words import Words
from incentive_engine.config.fields import Column, Count, Seed
from incentive_engine.language import say


class Sample(Model):
    """A campaign that the program makes itself."""

    name: Literal["double11", "winback", "everyday", "weekly"]
    """Which campaign: `double11` (members and the 88VIP tier), `winback` (lapsed users),
    `everyday` (people whose event log tells how they react) or `weekly` (small coupons)."""
    users: Count = 50_000
    """How many users to decide on."""
    trial_rows: Count = 150_000
    """How many rows the randomised trial has."""
    seed: Seed = 11
    """The seed that it is made from."""


Renames = Annotated[
    dict[Column, Column], Words("a mapping from a table's own column to what it is called here")
]


class Columns(Model):
    """What the columns of each table are called here: `{trial: {converted: conversion}}`."""

    users: Renames = Field(default={})
    """Of `users`."""
    trial: Renames = Field(default={})
    """Of `trial`."""
    scores: Renames = Field(default={})
    """Of the table that `--scores` names."""
    outcomes: Renames = Field(default={})
    """Of the table that `--outcomes` names."""

    @field_validator("users", "trial", "scores", "outcomes")
    @classmethod
    def _each_once(cls, renames: dict[str, str]) -> dict[str, str]:
        for ours, times in Counter(renames.values()).items():
            if times > 1:
                theirs = ", ".join(f"`{name}`" for name, to in renames.items() if to == ours)
                what = say("{theirs} are all to be called `{ours}`", theirs=theirs, ours=ours)
                reject(FieldProblem((), what, "one column of each name", "keep one of them"))
        return renames


class Data(Model):
    """Where the campaign's data are; paths are relative to the policy file."""

    users: DataPath | None = None
    """One row per user: user_id, attributes, features."""
    trial: DataPath | Annotated[tuple[DataPath, ...], Field(min_length=1, strict=False)] | None = (
        None
    )
    """A past randomised campaign: user_id, offer, conversion, spend, cost, [propensity],
    [features]. Several are a list, or a folder that `incentive learn` wrote, or a table whose
    column `campaign` says which one a row is of."""
    columns: Columns = Columns()
    """Other names that the tables' columns have."""
    sample: Sample | None = None
    """A campaign that the program makes itself, in place of users and trial; or just its name."""

    @field_serializer("trial", when_used="json")
    def _written(self, trial: Location | tuple[Location, ...] | None) -> str | list[str] | None:
        if trial is None:
            return None
        return [str(one) for one in trial] if isinstance(trial, tuple) else str(trial)

    @property
    def trials(self) -> tuple[Location, ...]:
        """The tables of past campaigns, from the oldest."""
        if self.trial is None:
            return ()
        return self.trial if isinstance(self.trial, tuple) else (self.trial,)

    @field_validator("sample", mode="before")
    @classmethod
    def _from_name(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.sample is not None and (self.users is not None or self.trial is not None):
            remedy = "leave out `sample`, or `users` and `trial`"
            reject(FieldProblem(("sample",), "a sample stands beside files", remedy=remedy))
        return self


class Features(Model):
    """What the uplift model may learn from; both lists name columns."""

    allow: tuple[Column, ...] | None = Field(default=None, min_length=1, strict=False)
    """Only these; left out, all columns that trial and users share. A column named here is taken
    as known before the offer, even where it tells the outcome suspiciously well."""
    deny: tuple[Column, ...] = Field(default=(), strict=False)
    """Never these: what was measured after the offer, or must not decide who gets what. They may
    still be named by weights, eligibility and limits."""

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        both = sorted(set(self.allow or ()) & set(self.deny))
        if both:
            what = say("allowed and denied at once: {both}", both=tuple(both))
            reject(FieldProblem(("deny",), what, remedy="take them out of one list"))
        return self
