"""Offers, columns and their values by the names that people read, in the page's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from incentive_engine.config.offer import ColumnTitle, Title
from incentive_engine.language import Code, Message, Text, Value
from incentive_engine.report.conditions import PublicRules
from incentive_engine.report.quality import Quality

from .conditions import ColumnTest, Scope
from .content import Favoured, GroupTable, LimitRow, ReportContent
from .evidence import Benefits, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """What a policy calls its offers, and the columns of its users."""

    offers: Mapping[str, Title] = field(default_factory=dict)
    columns: Mapping[str, ColumnTitle] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """Looks names up in one language; what has no title keeps its id."""

    titles: Titles
    code: Code

    def offer(self, name: str) -> str:
        """Return what an offer is called."""
        title = self.titles.offers.get(name)
        return name if title is None else title.text(self.code)

    def column(self, name: str) -> str:
        """Return what a column is called."""
        title = self.titles.columns.get(name)
        return name if title is None or title.title is None else title.title.text(self.code)

    def feature(self, name: Text) -> Text:
        """Return what a feature is called; one that a message names says so itself."""
        return self.column(name) if isinstance(name, str) else name

    def value(self, column: str | None, name: str) -> str:
        """Return what a value of a column is called; without a column, of any that has it."""
        columns = self.titles.columns
        places = columns.values() if column is None else filter(None, [columns.get(column)])
        titles = (place.values.get(name) for place in places)
        title = next(filter(None, titles), None)
        return name if title is None else title.text(self.code)


def with_titles(content: ReportContent, titles: Titles, code: Code) -> ReportContent:
    """Return the page's content with names in place of ids."""
    named = Named(titles, code)
    return replace(
        content,
        advice=replace(
            content.advice,
            verdict=_said(named, content.advice.verdict),
            unreached=tuple(map(named.offer, content.advice.unreached)),
        ),
        notes=tuple(replace(note, message=_said(named, note.message)) for note in content.notes),
        tables=tuple(_table(named, table) for table in content.tables),
        limits=tuple(limit_with_titles(limit, named) for limit in content.limits),
        favoured=content.favoured and _favoured(named, content.favoured),
        response=content.response and _response(named, content.response),
        ways=tuple(replace(way, offer=named.offer(way.offer)) for way in content.ways),
        quality=content.quality and _quality(named, content.quality),
        benefits=tuple(_benefits(named, benefits) for benefits in content.benefits),
        rules=content.rules and _rules(named, content.rules),
    )


def limit_with_titles(limit: LimitRow, named: Named) -> LimitRow:
    """Return a limit whose scope has names in place of ids."""
    return replace(limit, scope=_scope(named, limit.scope))


def _said(named: Named, message: Message) -> Message:
    """Return a message that names an offer by its title, also in what is said within it."""

    def titled(name: str, value: Value) -> Value:
        if isinstance(value, Message):
            return _said(named, value)
        return named.offer(value) if name == "offer" and isinstance(value, str) else value

    values = tuple((name, titled(name, named_value)) for name, named_value in message.values)
    return Message(message.key, values)


def _table(named: Named, table: GroupTable) -> GroupTable:
    column = table.column
    rows = tuple(
        row
        if row.label is None
        else replace(
            row,
            label=named.offer(row.label) if column is None else named.value(column, row.label),
        )
        for row in table.rows
    )
    return replace(table, column=column and named.column(column), rows=rows)


def _scope(named: Named, scope: Scope) -> Scope:
    return replace(
        scope, offers=tuple(map(named.offer, scope.offers)), tests=_tests(named, scope.tests)
    )


def _tests(named: Named, tests: tuple[ColumnTest, ...]) -> tuple[ColumnTest, ...]:
    return tuple(
        replace(
            test,
            column=named.column(test.column),
            values=tuple(named.value(test.column, value) for value in test.values),
        )
        for test in tests
    )


def _favoured(named: Named, favoured: Favoured) -> Favoured:
    return replace(favoured, label=named.value(None, favoured.label))


def _response(named: Named, response: Response) -> Response:
    column = response.column

    def titled(group: str) -> str:
        parts = group.split(", ")
        return ", ".join(p if p == Response.OTHERS else named.value(column, p) for p in parts)

    return replace(
        response, column=named.column(column), groups=tuple(map(titled, response.groups))
    )


def _quality(named: Named, quality: Quality) -> Quality:
    return replace(
        quality,
        offers=tuple(replace(offer, offer=named.offer(offer.offer)) for offer in quality.offers),
        drivers=tuple(
            replace(
                drivers,
                offer=named.offer(drivers.offer),
                shares=tuple((named.feature(name), share) for name, share in drivers.shares),
            )
            for drivers in quality.drivers
        ),
    )


def _benefits(named: Named, part: Benefits) -> Benefits:
    column, check = part.column, part.check
    if check is not None:
        check = replace(
            check,
            column=named.column(check.column),
            member=check.member and named.value(check.column, check.member),
            equal=tuple(map(named.column, check.equal)),
        )
    rows = tuple(
        replace(row, label=row.label and named.value(column, row.label)) for row in part.rows
    )
    return replace(part, column=named.column(column), rows=rows, check=check)


def _rules(named: Named, rules: PublicRules) -> PublicRules:
    return replace(
        rules,
        criteria=tuple(map(named.column, rules.criteria)),
        offers=tuple(
            replace(offer, name=named.offer(offer.name), tests=_tests(named, offer.tests))
            for offer in rules.offers
        ),
    )
