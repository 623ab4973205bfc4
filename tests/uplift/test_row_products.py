"""A row alone has the product that it has among many, to the last bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from incentive_engine.uplift.effects.row_products import LANES, row_products


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (30, 6), (477, 10), (480, 40)])
def test_a_row_alone_has_the_product_that_it_has_among_many(
    kind: npt.DTypeLike, shape: tuple[int, int]
) -> None:
    rng = np.random.default_rng(shape[0])
    rows = rng.normal(size=(3 * LANES + 5, shape[0])).astype(kind)
    matrix = rng.normal(size=shape)
    together = row_products(rows, matrix)
    np.testing.assert_allclose(together, rows.astype(np.float64) @ matrix, atol=1e-11)
    for size in (1, 2, LANES - 1, LANES + 1):
        for start in (0, 1, LANES, 2 * LANES + 3):
            part = slice(start, start + size)
            np.testing.assert_array_equal(row_products(rows[part], matrix), together[part])
    np.testing.assert_array_equal(row_products(rows, np.asfortranarray(matrix)), together)


def test_no_rows_and_no_columns_have_no_products() -> None:
    assert row_products(np.zeros((0, 4)), np.ones((4, 2))).shape == (0, 2)
    np.testing.assert_array_equal(row_products(np.ones((2, 0)), np.ones((0, 3))), np.zeros((2, 3)))
