"""Pages of drift, drawn by Evidently: for people who look further. It takes seconds to import, so only when asked."""

from pathlib import Path

import polars as pl

from asof.errors import DataError, UserError

MOST_COLUMNS = 50
"""A page with more columns is too heavy for a browser."""
_ROWS = 5_000


def draw(file: Path, served: pl.DataFrame, learnt: pl.DataFrame) -> None:
    """Write a page, complete in itself, that holds the features served against those learnt from.

    Columns without a value on either side are left out.

    Raises:
        UserError: Evidently is not installed.
        DataError: there is nothing to compare.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of its own dependencies
            from evidently import Report
            from evidently.presets import DataDriftPreset
    except ImportError as fault:
        message = "Evidently is not installed: pip install 'asof[drift]'"
        raise UserError(message) from fault
    names = [
        name
        for name in served.columns
        if served[name].null_count() < served.height and learnt[name].null_count() < learnt.height
    ][:MOST_COLUMNS]
    if not names:
        message = "nothing was learnt from that could be drawn beside what is served"
        raise DataError(message)
    sides = [
        side.select(names).sample(min(side.height, _ROWS), seed=0).to_pandas(use_pyarrow_extension_array=False)
        for side in (served, learnt)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Report([DataDriftPreset()]).run(sides[0], sides[1])
        draft = file.with_name(f".{file.name}.draft")
        made.save_html(str(draft))
    draft.replace(file)
