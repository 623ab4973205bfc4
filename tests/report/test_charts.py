"""Charts: axes with units, tooltips, a key, and the numbers under each."""

from __future__ import annotations

import re

from incentive_engine.language import LANGUAGES, language
from incentive_engine.report.figures.charts import Axis, Chart, Series, figure, spread, ticks

MONEY = Axis(title="budget, CNY")
GAIN = Axis(title="conversions added")


def curve(label: str = "engine", **more: object) -> Series:
    return Series(label=label, x=[100_000.0, 200_000.0], y=[300.0, 400.0], **more)  # type: ignore[arg-type]


def chart(*series: Series, x: Axis = MONEY) -> str:
    return figure(language("en"), Chart(caption="Gain", x=x, y=GAIN, series=series))


def test_axes_say_what_they_stand_for_and_in_which_unit() -> None:
    svg = chart(curve())
    assert ">budget, CNY</text>" in svg
    assert ">conversions added</text>" in svg
    assert ">200k</text>" in svg
    assert 'aria-label="Gain"' in svg


def test_a_point_tells_its_numbers_and_its_interval() -> None:
    svg = chart(curve(low=[280.0, 360.0], high=[320.0, 440.0]))
    assert (
        "<title>engine\nbudget, CNY: 200,000\nconversions added: 400.0 (360.0 to 440.0)</title>"
        in svg
    )
    assert 'fill-opacity="0.12"' in svg


def test_the_numbers_stand_under_the_chart_with_a_column_per_line() -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", chart(curve(), curve("greedy")))
    assert rows[0] == "<th>budget, CNY</th><th>engine</th><th>greedy</th>"
    assert rows[2] == "<td>200,000</td><td>400.0</td><td>400.0</td>"


def test_a_key_stands_where_there_is_more_than_one_line() -> None:
    assert "legend" not in chart(curve())
    assert chart(curve(), curve("oracle", dashed=True)).count("<li>") == 2


def test_places_that_are_no_numbers_carry_their_names() -> None:
    svg = chart(
        Series(label="engine", x=[0, 1], y=[1.0, 2.0]), x=Axis(title="mix", names=("a", "b"))
    )
    assert ">a</text>" in svg
    assert "mix: b" in svg


def test_no_name_can_leave_its_place() -> None:
    assert "<script>" not in chart(curve("<script>"), curve("</title><script>"))


def test_axes_include_zero_so_that_shapes_do_not_mislead() -> None:
    assert spread([300.0, 400.0])[0] == 0.0
    assert ticks(*spread([-50.0, 400.0]))[0] == 0.0 or min(ticks(*spread([-50.0, 400.0]))) <= 0


def test_the_same_chart_is_the_same_text_in_each_language() -> None:
    for code in LANGUAGES:
        one, two = (
            figure(language(code), Chart(caption="Gain", x=MONEY, y=GAIN, series=(curve(),)))
            for _ in range(2)
        )
        assert one == two
