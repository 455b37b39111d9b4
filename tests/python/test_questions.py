"""Questions that were changed by hand: what is no moment is refused by column and row, and never read as something."""

import polars as pl
import pytest
from tests.flows import world

import asof
from asof.errors import DataError

MOMENTS = ("start", "end", "as_of")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> asof.Project:
    """Return a project of four months whose rows have been taken in."""
    folder = world.make(tmp_path_factory.mktemp("questions") / "world", rows=world.calls(days=120))
    project = asof.Project.open(str(folder))
    project.ingest()
    return project


@pytest.mark.parametrize("name", MOMENTS)
def test_a_moment_that_is_missing(project: asof.Project, name: str) -> None:
    asked = project.questions("2021-04-01", "2021-04-03")
    gaps = asked.with_columns(pl.when(pl.int_range(pl.len()).is_in([1, 4])).then(None).otherwise(name).alias(name))
    with pytest.raises(DataError, match=rf"^questions cannot be asked: {name} is missing in rows 1, 4 \(counted from"):
        project.features(gaps)


def test_moments_without_a_zone_are_refused_all_at_once(project: asof.Project) -> None:
    asked = project.questions("2021-04-01", "2021-04-03")
    wrong = asked.with_columns(pl.col("start").dt.date(), pl.col("as_of").dt.replace_time_zone(None))
    with pytest.raises(DataError, match=r"start is Date; expected moments of a zone, .*; as_of is Datetime\("):
        project.features(wrong)


def test_the_same_moments_in_other_words_are_the_same(project: asof.Project) -> None:
    """Nanoseconds, as other libraries have them, and another zone."""
    asked = project.questions("2021-04-01", "2021-04-03")
    other = asked.with_columns(
        pl.col("start", "as_of").dt.cast_time_unit("ns"), pl.col("end").dt.convert_time_zone("Asia/Tokyo")
    )
    assert project.features(other).equals(project.features(asked))


def test_a_column_that_is_lacking_is_named(project: asof.Project) -> None:
    asked = project.questions("2021-04-01", "2021-04-03").drop("as_of")
    with pytest.raises(DataError, match="questions lack the columns as_of; expected place, start, end, as_of, horizon"):
        project.features(asked)
