"""Names of a package that are imported when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package, which loads no module before a name of it is used.

    Parameters
    ----------
    package
        Its full name.
    homes
        Module, below the package, to the names that stand in it.
    """
    module_of = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> Any:  # noqa: ANN401 - whatever the name is
        if name not in module_of:
            raise AttributeError(f"module `{package}` has no attribute `{name}`")
        value = getattr(import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
