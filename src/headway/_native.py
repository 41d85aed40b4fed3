"""Find the C library. No other module knows its name or its place."""

import importlib.resources
import sys
from pathlib import Path

from headway.errors import CannotObserve

NAME = "libheadway.so"


def library() -> Path:
    """Say where the tracer's library is.

    Returns:
        An absolute path, with symbolic links resolved.
    Raises:
        CannotObserve: This installation has none. The message says the likely reason.
    """
    if sys.platform != "linux":
        raise CannotObserve(
            f"headway traces on Linux only, and this is {sys.platform}",
            hint="run it in a Linux container or virtual machine; reports of traces can be read here",
        )
    # In an editable installation the library lies in site-packages and this file does not:
    # the package's resources cover both places, __file__ covers one.
    resource = importlib.resources.files("headway").joinpath(NAME)
    path = Path(str(resource))
    if not path.is_file():
        raise CannotObserve(
            f"{NAME} is not in this installation of headway",
            hint="likely there was no C compiler, or no glibc, when it was installed; "
            "install gcc and then: pip install --force-reinstall --no-deps headway",
        )
    return path.resolve()
