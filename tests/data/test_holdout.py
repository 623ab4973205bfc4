import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.data.trials.holdout import draw_holdout

TIERS = st.lists(st.sampled_from(["88VIP", "silver", None]), min_size=1, max_size=60)
SHARES = st.floats(0, 1)
SEEDS = st.integers(-(2**40), 2**40)


NOTHING = pa.table({})


def people(tiers: list[str | None]) -> tuple[pa.Array, pa.Table]:
    ids = pa.array([f"U{i}" for i in range(len(tiers))])
    return ids, pa.table({"tier": pa.array(tiers, pa.string())})


@given(tiers=TIERS, share=SHARES, seed=SEEDS)
def test_each_stratum_gives_exactly_its_share(
    tiers: list[str | None], share: float, seed: int
) -> None:
    ids, strata = people(tiers)
    held = draw_holdout(ids, strata, share=share, seed=seed)
    for tier in ("88VIP", "silver", None):
        same = np.array([other == tier for other in tiers])
        assert held[same].sum() == round(share * same.sum())


@given(tiers=TIERS, share=SHARES, seed=SEEDS, data=st.data())
def test_the_order_of_rows_does_not_matter(
    tiers: list[str | None], share: float, seed: int, data: st.DataObject
) -> None:
    ids, strata = people(tiers)
    order = np.array(data.draw(st.permutations(range(len(tiers)))))
    held = draw_holdout(ids, strata, share=share, seed=seed)
    shuffled = draw_holdout(ids.take(order), strata.take(order), share=share, seed=seed)
    assert shuffled.tolist() == held[order].tolist()


@given(tiers=TIERS, more=st.integers(0, 50), share=SHARES, seed=SEEDS)
def test_other_strata_do_not_matter(
    tiers: list[str | None], more: int, share: float, seed: int
) -> None:
    alone = draw_holdout(*people(tiers), share=share, seed=seed)
    beside = draw_holdout(*people([*tiers, *["gold"] * more]), share=share, seed=seed)
    assert beside[: len(tiers)].tolist() == alone.tolist()


@given(tiers=TIERS, small=SHARES, large=SHARES, seed=SEEDS)
def test_a_larger_holdout_contains_a_smaller_one(
    tiers: list[str | None], small: float, large: float, seed: int
) -> None:
    small, large = sorted((small, large))
    ids, strata = people(tiers)
    few = draw_holdout(ids, strata, share=small, seed=seed)
    many = draw_holdout(ids, strata, share=large, seed=seed)
    assert not (few & ~many).any()


def test_without_strata_all_users_are_one() -> None:
    held = draw_holdout(pa.array(range(1000)), NOTHING, share=0.05, seed=1)
    assert held.sum() == 50


def test_strata_are_combinations_of_columns() -> None:
    strata = pa.table({"a": ["x", "x", "y", "y"] * 50, "b": [1.0, None] * 100})
    held = draw_holdout(pa.array(range(200)), strata, share=0.1, seed=1)
    sizes = strata.filter(held).group_by(["a", "b"]).aggregate([([], "count_all")])
    assert sizes["count_all"].to_pylist() == [5, 5, 5, 5]


def test_an_id_counts_the_same_as_number_and_as_text() -> None:
    numbers = pa.array(range(500))
    as_numbers = draw_holdout(numbers, NOTHING, share=0.2, seed=3)
    as_text = draw_holdout(numbers.cast(pa.string()), NOTHING, share=0.2, seed=3)
    assert as_numbers.tolist() == as_text.tolist()


def test_seeds_draw_independent_holdouts_of_even_spread() -> None:
    # the overlap of two draws of 2,000 of 10,000 has mean 400 and standard deviation 16; five
    # of them to either side is a false alarm once in a million
    ids = pa.array(range(10_000))
    first = draw_holdout(ids, NOTHING, share=0.2, seed=1)
    second = draw_holdout(ids, NOTHING, share=0.2, seed=2)
    assert abs(int((first & second).sum()) - 400) < 5 * 16
    assert abs(int(first[:5000].sum()) - 1000) < 5 * 20


def test_the_draw_stays_what_it_was() -> None:
    # a holdout that another version draws differently would spoil a running measurement
    ids = pa.array([f"U{i}" for i in range(20)])
    held = draw_holdout(ids, NOTHING, share=0.25, seed=11)
    assert ids.filter(held).to_pylist() == ["U3", "U5", "U6", "U15", "U19"]
