import numpy as np
import pyarrow as pa
import pytest

from incentive_engine.config.conditions import Range, Where
from incentive_engine.data.columns.conditions import matches

TABLE = pa.table(
    {
        "tier": ["88VIP", "silver", None, "regular"],
        "score": [60.0, 90.0, None, 75.0],
        "orders": [0, 1, 2, 3],
        "member": [True, False, True, False],
        "joined": pa.array([0] * 4, pa.timestamp("us")),
    }
)


@pytest.mark.parametrize(
    ("where", "met"),
    [
        ({}, [True, True, True, True]),
        ({"tier": ("88VIP",)}, [True, False, False, False]),
        ({"tier": ("88VIP", "silver")}, [True, True, False, False]),
        ({"tier": ("88vip",)}, [False, False, False, False]),
        ({"tier": (88,)}, [False, False, False, False]),
        ({"score": Range(at_least=60)}, [True, True, False, True]),
        ({"score": Range(at_least=60, below=90)}, [True, False, False, True]),
        ({"score": Range(below=75)}, [True, False, False, False]),
        ({"score": (90, 75)}, [False, True, False, True]),
        ({"orders": (0, 3)}, [True, False, False, True]),
        ({"orders": ("3",)}, [False, False, False, False]),
        ({"member": (True,)}, [True, False, True, False]),
        ({"joined": ("2024-01-01",)}, [False, False, False, False]),
        ({"tier": ("88VIP", "silver"), "orders": Range(at_least=1)}, [False, True, False, False]),
    ],
)
def test_a_user_matches_when_all_columns_do(where: Where, met: list[bool]) -> None:
    assert matches(TABLE, where).tolist() == met


def test_a_missing_value_matches_nothing() -> None:
    nothing = pa.table({"x": [np.nan, None]})
    assert not matches(nothing, {"x": (0.0,)}).any()
    assert not matches(nothing, {"x": Range(at_least=-1e308)}).any()
