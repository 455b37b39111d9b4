"""Make LightGBM loadable on a Linux without OpenMP's runtime (``libgomp.so.1``), such as a slim container.

LightGBM's wheel expects the library from the system; scikit-learn's wheel brings its own copy. Where the system has
none, a link of the expected name to that copy is put into the folder named by the first argument, which the Makefile
puts on ``LD_LIBRARY_PATH``. Elsewhere nothing is done. The lasting remedy is the system's package: ``libgomp1``.
"""

import ctypes
import importlib.util
import sys
from pathlib import Path

NAME = "libgomp.so.1"


def there() -> bool:
    """Return whether the system has the library, this folder's link left aside."""
    try:
        ctypes.CDLL(NAME)
    except OSError:
        return False
    return True


def main() -> None:
    """Put the link where it is needed."""
    folder = Path(sys.argv[1])
    found = importlib.util.find_spec("sklearn")
    if sys.platform != "linux" or there() or found is None or found.origin is None:
        return
    copies = sorted((Path(found.origin).parent.parent / "scikit_learn.libs").glob("libgomp-*.so*"))
    if copies:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NAME).unlink(missing_ok=True)
        (folder / NAME).symlink_to(copies[0].resolve())
        print(f"no {NAME} on this system: using scikit-learn's copy within make (lasting: apt-get install libgomp1)")


if __name__ == "__main__":
    main()
