from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.config.amounts import (
    UNITS,
    Bound,
    parse_amount,
    parse_bound,
    parse_share,
    write_bound,
)
from incentive_engine.config.offer import Offer

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHARES = st.floats(min_value=0, max_value=1)


@given(FINITE)
def test_every_number_reads_as_itself_as_number_and_as_text(number: float) -> None:
    assert parse_amount(number) == number
    assert parse_amount(str(number)) == number


@given(st.integers(0, 10**12), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_units_multiply(number: int, unit: str, space: str) -> None:
    assert parse_amount(f"{number}{space}{unit}") == float(number * UNITS[unit])
    assert parse_amount(f"{number:_}{unit}") == float(number * UNITS[unit])


@given(st.decimals(0, 10**6, places=4), st.sampled_from(["k", "m", "万", "亿"]))
def test_decimals_with_units_are_exact_to_the_last_float(number: Decimal, unit: str) -> None:
    assert parse_amount(f"{number}{unit}") == float(number * UNITS[unit])


def is_amount(number: float) -> bool:
    return number == 0 or 1e-9 <= abs(number) <= 1e18


@given(
    st.one_of(st.builds(Bound, FINITE.filter(is_amount)), st.builds(Bound, SHARES, st.just(True)))
)
def test_bounds_survive_being_written_and_read(bound: Bound) -> None:
    assert parse_bound(write_bound(bound)) == bound


@given(st.text())
def test_any_text_is_an_amount_or_a_clear_refusal(text: str) -> None:
    for parse in (parse_amount, parse_share, parse_bound):
        try:
            parse(text)
        except ValueError as error:
            assert "`" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("text", "amount"),
    [("200k", 2e5), ("5m", 5e6), ("50万", 5e5), ("1.2亿", 1.2e8), ("1e6", 1e6), ("1.5K", 1500.0)],
)
def test_amounts_read_as_planners_write_them(text: str, amount: float) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize(
    "wrong",
    ["", "k", "abc", "200kk", "1,000", "5%", "--5", None, True, [1], math.inf, math.nan, "1e999",
     "1e999999999999999999999", 10**400],
)  # fmt: skip
def test_what_is_no_finite_amount_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"is not an amount|is not a finite amount"):
        parse_amount(wrong)


@pytest.mark.parametrize("wrong", ["101%", "-1%", 1.01, -0.1, 5, math.nan, 10**400])
def test_shares_outside_0_to_100_percent_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="outside 0 to 100 %"):
        parse_share(wrong)


@pytest.mark.parametrize("wrong", ["", "%", "5%%", "five", None, True, {}])
def test_what_is_no_share_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        parse_share(wrong)


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (1, 1.0), ("100%", 1)])
def test_shares_read_as_fractions_and_percentages(text: object, share: float) -> None:
    assert parse_share(text) == share


def test_a_face_value_is_counted_in_millionths() -> None:
    assert Offer(id="a", face_value=2.8600000000000003).face_value == 2.86
    assert Offer(id="a", face_value=0.0000001).face_value == 0.000001


@pytest.mark.parametrize("text", ["5e-324", "1e-300", "1e300", 1e-12, "999999999999亿"])
def test_sums_are_not_compared_to_what_they_cannot_be(text: object) -> None:
    with pytest.raises(ValueError, match="to be an amount; write another unit"):
        parse_bound(text)
