"""Memory of a server: little is kept for later, and what was needed once is given back."""

import contextlib
import ctypes

ARENA_MAX = -8
"""Of ``mallopt``: how many heaps threads may have of their own; what one of them frees, no other takes."""


def settle() -> None:
    """Let all threads take from one heap; to be called before there are others."""
    with contextlib.suppress(OSError, AttributeError):  # another system than Linux has its own ways
        ctypes.CDLL("libc.so.6").mallopt(ARENA_MAX, 1)


def give_back() -> None:
    """Give free memory back to the system."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
