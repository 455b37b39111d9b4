"""The two libraries of places, which an installation without maps goes without."""

from types import ModuleType

from asof.errors import UserError


def shapely_library() -> ModuleType:
    """Return shapely; raises UserError saying how to install it."""
    try:
        import shapely
    except ModuleNotFoundError as error:
        raise UserError("place: polygons need shapely; install it with: pip install 'asof[places]'") from error
    return shapely  # type: ignore[no-any-return]


def h3_library() -> ModuleType:
    """Return polars_h3; raises UserError saying how to install it."""
    try:
        import polars_h3
    except ModuleNotFoundError as error:
        raise UserError("place: H3 cells need polars-h3; install it with: pip install 'asof[places]'") from error
    return polars_h3  # type: ignore[no-any-return]
