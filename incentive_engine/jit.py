"""Loops compiled once per machine, and loaded again quickly."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime.nrt import rtsys

Kernel = TypeVar("Kernel", bound=Callable[..., object])


class KernelCacheIndex(IndexDataCacheFile):
    """Which loops are kept on the disk."""

    def _load_index(self) -> Any:  # noqa: ANN401 - inherited
        try:
            return super()._load_index()  # type: ignore[no-untyped-call] # numba has no types
        except (AttributeError, ImportError):
            # Another version kept them, whose types had other names: numba looks for these types
            # before it sees that the source is another one. What is kept there is out of date.
            return {}


class KernelCache(FunctionCache):
    """Compiled loops on the disk."""

    def __init__(self, kernel: Callable[..., object]) -> None:
        super().__init__(kernel)  # type: ignore[no-untyped-call] # numba has no types
        self._cache_file = KernelCacheIndex(  # type: ignore[no-untyped-call] # likewise
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401 - inherited
        """Return a compiled loop, None where it is not kept.

        The inherited method loads all that numba can compile first, which takes longer than many
        a plan. What is loaded here is machine code, and calls at most numba's memory functions.
        """
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            try:
                return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call] # numba has no types
            except (
                # what unpickling raises on what it does not know: of an earlier version, whose
                # types have gone, or damaged
                *(pickle.UnpicklingError, AttributeError, EOFError, ImportError, IndexError),
                *(KeyError, TypeError, ValueError),
            ):
                self.flush()  # type: ignore[no-untyped-call] # numba has no types
                return None


def compiled(kernel: Kernel) -> Kernel:
    """Compile a loop, once per machine; it runs without the interpreter's lock."""
    made: Any = numba.njit(nogil=True, error_model="numpy")(kernel)
    made._cache = KernelCache(kernel)  # noqa: SLF001 - what `cache=True` does with its own class
    return cast("Kernel", made)
