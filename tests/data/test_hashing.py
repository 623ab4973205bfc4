import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.data.hashing import hash_ids

KEYS = st.text(st.characters(codec="ascii", exclude_characters="\x00"), min_size=16, max_size=16)


@given(ids=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"))), key=KEYS)
def test_hashes_are_those_of_pandas(ids: list[str], key: str) -> None:
    hashed = hash_ids(pa.array(ids, pa.string()), key.encode())
    theirs = pd.util.hash_array(np.array(ids, dtype=object), hash_key=key, categorize=False)
    assert hashed.tolist() == theirs.tolist()


def test_an_id_has_one_hash_wherever_it_stands() -> None:
    ids = pa.array([f"user {i}" * (i % 5) for i in range(2 * (1 << 16) + 3)])
    whole = hash_ids(ids, b"0123456789abcdef")
    assert hash_ids(ids.slice(7), b"0123456789abcdef").tolist() == whole[7:].tolist()
    assert hash_ids(ids.cast(pa.large_string()), b"0123456789abcdef").tolist() == whole.tolist()


def test_an_integer_counts_as_its_digits() -> None:
    numbers = pa.array([-3, 0, 12, 2**62])
    texts = numbers.cast(pa.string())
    key = b"0123456789abcdef"
    assert hash_ids(numbers, key).tolist() == hash_ids(texts, key).tolist()
