"""Loops compiled once per machine, and loaded again quickly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys

Kernel = TypeVar("Kernel", bound=Callable[..., object])


class Kept(FunctionCache):
    """Compiled loops on the disk."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - inherited
        """Return a compiled loop, None where it is not kept.

        The inherited method loads all that numba can compile first, which takes longer than many
        a plan. What is loaded here is machine code, and calls at most numba's memory functions.
        """
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            try:
                return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call] # numba has no types
            except (AttributeError, ModuleNotFoundError):
                # kept for a type that has another name by now; to keep more would fail likewise
                self._cache_file.flush()  # type: ignore[no-untyped-call] # numba has no types
                return None


def compiled(kernel: Kernel) -> Kernel:
    """Compile a loop, once per machine; it runs without the interpreter's lock."""
    made: Any = numba.njit(nogil=True, error_model="numpy")(kernel)
    cache = Kept(kernel)  # type: ignore[no-untyped-call] # numba has no types
    made._cache = cache  # noqa: SLF001 - what `cache=True` does with its own class
    return cast("Kernel", made)
