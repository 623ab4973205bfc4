# ruff: noqa: S608 - queries of names that the tests choose
"""An independent compiler of declarations to SQL, for DuckDB; a check of the compiled pass.

One row per row of `rows` (row, user_id, moment) out of `events` (user_id, time, kind, category,
amount, known), all times in microseconds. Squares are summed in 128-bit integers.
"""

from __future__ import annotations

from collections.abc import Sequence

from incentive_engine.features.computing.history_columns import HistoryColumn

DAY = 86_400_000_000
RHYTHM = frozenset({"gap_std"})
CATEGORIES = frozenset({"entropy", "top_share"})


def compiled(
    columns: Sequence[HistoryColumn], offers: dict[str, tuple[str, ...]], *, delay: int
) -> str:
    """Return the query of all columns."""
    plain = [column for column in columns if column.verb not in RHYTHM | CATEGORIES]
    made = ",\n  ".join(f'{_value(column, offers)} AS "{column.name}"' for column in plain)
    joined = f"""
      SELECT r.row, r.moment, e.*, r.moment - e.time AS age
      FROM rows r LEFT JOIN events e ON e.user_id = r.user_id
       AND e.time < r.moment - {delay} AND e.known <= r.moment"""
    chosen = ", ".join(["row", *([made] if plain else [])])
    query = f"WITH seen AS ({joined}) SELECT {chosen} FROM seen GROUP BY row"
    rest = [column for column in columns if column.verb in RHYTHM | CATEGORIES]
    parts = [f"({query}) base"]
    names = [f'base."{column.name}"' for column in plain]
    for number, column in enumerate(rest):
        own = _gaps(column) if column.verb in RHYTHM else _shares(column)
        where = f"WITH seen AS ({joined}) {own}"
        parts.append(f"LEFT JOIN ({where}) part{number} ON part{number}.row = base.row")
        names.append(f'part{number}.value AS "{column.name}"')
    return f"SELECT {', '.join(names)} FROM {' '.join(parts)} ORDER BY base.row"


def _inside(column: HistoryColumn, kind: str | None = None) -> str:
    named = kind or column.kind
    conditions = ["age IS NOT NULL"]
    if named != "any":
        conditions.append(f"kind = '{named}'")
    if column.window is not None:
        conditions.append(f"age <= {column.window.micros}")
    return " AND ".join(conditions)


def _value(column: HistoryColumn, offers: dict[str, tuple[str, ...]]) -> str:
    inside = _inside(column)
    count = f"count(*) FILTER ({inside})"
    span = f"(max(age) FILTER ({inside}) - min(age) FILTER ({inside}))"
    own = ", ".join(f"'{name}'" for name in offers.get(column.offer or "", ())) or "NULL"
    half = f"age <= {(column.window.micros if column.window else 0) // 2}"
    spread = (
        f"sqrt((count(amount) FILTER ({inside}) * sum(amount::HUGEINT * amount) FILTER ({inside})"
        f" - (sum(amount::HUGEINT) FILTER ({inside})) ^ 2)::DOUBLE)"
        f" / count(amount) FILTER ({inside})"
    )
    return {
        "count": count,
        "recency": f"(min(age) FILTER ({inside}))::DOUBLE / {DAY}",
        "tenure": f"(max(age) FILTER ({inside}))::DOUBLE / {DAY}",
        "sum": f"coalesce(sum(amount) FILTER ({inside}), 0)",
        "mean": f"(sum(amount) FILTER ({inside}))::DOUBLE"
        f" / nullif(count(amount) FILTER ({inside}), 0)",
        "max": f"max(amount) FILTER ({inside})",
        "min": f"min(amount) FILTER ({inside})",
        "std": spread.replace(") ^ 2)", f") * (sum(amount::HUGEINT) FILTER ({inside})))"),
        "distinct": f"count(DISTINCT category) FILTER ({inside})",
        "match": f"count(*) FILTER ({inside} AND category IN ({own}))",
        "active_days": f"count(DISTINCT (age - 1) // {DAY}) FILTER ({inside})",
        "ratio": f"({count})::DOUBLE / nullif(count(*) FILTER ({_inside(column, column.to)}), 0)",
        "gap_mean": f"CASE WHEN {count} > 1 THEN {span}::DOUBLE / (({count} - 1) * {DAY}) END",
        "dormancy": f"CASE WHEN {span} > 0 THEN (min(age) FILTER ({inside}))"
        f" * ({count} - 1.0::DOUBLE) / {span} END",
        "recent_share": f"(count(*) FILTER ({inside} AND {half}))::DOUBLE / nullif({count}, 0)",
    }[column.verb]


def _gaps(column: HistoryColumn) -> str:
    total = "sum(gap::HUGEINT)"
    return f"""SELECT row, CASE WHEN count(gap) > 1 THEN
        sqrt((count(gap) * sum(gap::HUGEINT * gap) - {total} * {total})::DOUBLE)
        / (count(gap) * {DAY}) END AS value
      FROM (SELECT row, age - lag(age) OVER (PARTITION BY row ORDER BY age) AS gap
            FROM seen WHERE {_inside(column)}) GROUP BY row"""


def _shares(column: HistoryColumn) -> str:
    value = "max(c)::DOUBLE / sum(c)"
    if column.verb == "entropy":
        value = "sum(c * (ln(n) - ln(c)) ORDER BY c) / max(n)"
    return f"""SELECT row, {value} AS value
      FROM (SELECT row, count(*) AS c, (sum(count(*)) OVER (PARTITION BY row))::DOUBLE AS n
            FROM seen WHERE {_inside(column)} AND category IS NOT NULL GROUP BY row, category)
      GROUP BY row"""
