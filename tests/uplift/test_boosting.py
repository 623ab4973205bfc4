from __future__ import annotations

import pytest

from incentive_engine.errors import SetupError
from incentive_engine.uplift.boosting import boosting


def test_a_machine_without_openmp_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise OSError(f"libgomp.so.1, needed by {name}: cannot open shared object file")

    monkeypatch.setattr(boosting, "import_module", missing)
    with pytest.raises(SetupError, match=r"LightGBM: cannot be loaded: libgomp\.so\.1.*libgomp1"):
        boosting.lightgbm()
