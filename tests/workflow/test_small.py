"""Nobody can be recognised in a group that the report shows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.small_groups import shown_apart

SIZES = st.lists(st.one_of(st.integers(0, 30), st.integers(0, 5_000)), max_size=12)


@given(SIZES)
def test_no_figure_stands_for_fewer_than_the_smallest_nor_tells_it_by_subtraction(
    sizes: list[int],
) -> None:
    apart = shown_apart(sizes)
    rest = sum(sizes) - sum(sizes[at] for at in apart)
    assert all(sizes[at] == 0 or sizes[at] >= INSIGHT.smallest_group for at in apart)
    assert rest == 0 or rest >= min(INSIGHT.smallest_group, sum(sizes))


@given(SIZES)
def test_nothing_is_hidden_where_nobody_needs_to_be(sizes: list[int]) -> None:
    large = [at for at, size in enumerate(sizes) if size == 0 or size >= INSIGHT.smallest_group]
    apart = shown_apart(sizes)
    assert set(apart) <= set(large)
    assert len(large) - len(apart) <= 1
