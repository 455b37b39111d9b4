"""Releases: written whole, read only when every byte is as written, the same fingerprint for the same model."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof import releases
from asof.data import Finding, Severity
from asof.errors import DataError, OutsideError
from asof.releases import Odd, folders

MADE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FEATURES = pl.DataFrame({"lag": [1.0, None, 3.0], "kind": ["a", "b", "a"]})


class PlainModel:
    """A model that saves one JSON file."""

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text('{"mean": 2.0}', "utf-8")


def contents(**changes: object) -> releases.Contents:
    base = releases.Contents(
        name="demo-20260102T030405Z",
        project="demo",
        created=MADE,
        model=PlainModel(),
        recipe={"estimator": "mean", "params": {"alpha": np.float64(0.5), "gap": float("nan")}},
        plan={"trials": 3, "rounds": (10, 20)},
        schema=releases.seen(FEATURES),
        intervals={"0.9": [0.1, 0.2]},
        scores=pl.DataFrame({"metric": ["rmse"], "value": [1.5]}),
        findings=(Finding("coverage", Severity.WARNING, "crashes", "2016-03 is thin", 0.65, 0.9, 12),),
        settings="name: demo\n",
        report="<!doctype html>",
        card="# demo\n",
        fingerprint=releases.fingerprint({"mean": 2.0}),
        places=pl.DataFrame({"id": ["1", "2"], "neighbours": [["2"], ["1"]]}),
        data={"crashes": "7"},
        facts={"cut": "2019-09-01"},
        extra={"outlines.geojson": "{}"},
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_a_release_comes_back_as_written(tmp_path: Path) -> None:
    folder = releases.model_folder(tmp_path, "nyc", MADE, "mean")
    written = releases.write(folder, contents())
    read = releases.read(folder)
    assert read == written
    assert folder == tmp_path / "models/nyc/20260102T030405Z/model_type=mean"
    assert (read.name, read.created, read.facts) == ("demo-20260102T030405Z", MADE, {"cut": "2019-09-01"})
    assert read.manifest["data"] == {"crashes": "7"}
    assert read.manifest["format"] == 1
    assert read.json("recipe") == {"estimator": "mean", "params": {"alpha": 0.5, "gap": None}}
    assert read.json("plan") == {"trials": 3, "rounds": [10, 20]}
    assert read.json("environment")["packages"]["polars"]
    assert read.findings() == contents().findings
    assert read.schema() == releases.seen(FEATURES)
    assert read.scores().rows() == [("rmse", 1.5)]
    places = read.places()
    assert places is not None
    assert places["neighbours"].to_list() == [["2"], ["1"]]
    assert read.text("outlines.geojson") == "{}"
    assert {path.name for path in tmp_path.rglob(".writing-*")} == set()


def test_without_places_there_is_no_list_of_them(tmp_path: Path) -> None:
    assert releases.write(tmp_path / "r", contents(places=None)).places() is None


def change(folder: Path) -> None:
    (folder / "model/model.json").write_text('{"mean": 2.1}', "utf-8")


def lose(folder: Path) -> None:
    (folder / "plan.json").unlink()


def add(folder: Path) -> None:
    (folder / "model/more.json").write_text("{}", "utf-8")


def link(folder: Path) -> None:
    (folder / "card.md").unlink()
    (folder / "card.md").symlink_to(folder / "plan.json")


def edit_manifest(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text("utf-8").replace("2019-09-01", "2019-10-01"), "utf-8")


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{", "utf-8")


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def later_format(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "format": 2}), "utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change, "'model/model.json' has changed"),
        (lose, "'plan.json' is missing"),
        (add, "'model/more.json' is not in the manifest"),
        (link, "'card.md' is a link"),
        (edit_manifest, "'manifest.json' has changed"),
        (break_manifest, "manifest.json cannot be read"),
        (lose_manifest, "there is no manifest.json"),
        (later_format, "it has format 2, this program reads up to 1"),
    ],
)
def test_a_damaged_release_is_refused_by_name(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    releases.write(tmp_path / "r", contents())
    damage(tmp_path / "r")
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        releases.read(tmp_path / "r")


def test_answers_may_be_added_to_a_release(tmp_path: Path) -> None:
    release = releases.write(tmp_path / "r", contents())
    file = releases.predictions_file(release.folder, date(2020, 3, 1), date(2020, 3, 8))
    assert file == tmp_path / "r/predictions/2020-03-01_to_2020-03-08/predictions.parquet"
    file.parent.mkdir(parents=True)
    FEATURES.write_parquet(file)
    assert releases.read(tmp_path / "r") == release


def test_no_pickle_gets_in(tmp_path: Path) -> None:
    class Pickler:
        def save(self, folder: Path) -> None:
            (folder / "model.pkl").write_bytes(b"")

    with pytest.raises(DataError, match=r"'model/model.pkl', a kind that is never read"):
        releases.write(tmp_path / "r", contents(model=Pickler()))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    class Full:
        def save(self, folder: Path) -> None:
            (folder / "half.json").write_text("{", "utf-8")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutsideError, match="No space left on device"):
        releases.write(tmp_path / "r", contents(model=Full()))
    assert list(tmp_path.iterdir()) == []


def test_drafts_of_a_crash_are_swept(tmp_path: Path) -> None:
    (tmp_path / "models/nyc/x/.writing-model_type=mean-1/model").mkdir(parents=True)
    assert releases.sweep(tmp_path) == 1
    assert list((tmp_path / "models/nyc/x").iterdir()) == []


def test_writing_again_keeps_the_same_model_and_refuses_another(tmp_path: Path) -> None:
    first = releases.write(tmp_path / "r", contents())
    assert releases.write(tmp_path / "r", contents(card="# later\n")) == first
    with pytest.raises(DataError, match="another release stands there"):
        releases.write(tmp_path / "r", contents(fingerprint="0" * 64))


def test_a_secret_does_not_get_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "s3cr3t-t0ken")
    with pytest.raises(
        DataError, match=r"project.yaml: it contains the value of the variable SOCRATA_APP_TOKEN"
    ) as got:
        releases.write(tmp_path / "r", contents(settings="token: s3cr3t-t0ken\n"))
    assert "s3cr3t" not in str(got.value)
    assert list(tmp_path.iterdir()) == []


def test_extra_files_are_plain_text_of_their_own(tmp_path: Path) -> None:
    for name in ("card.md", "../card.json", "run.sh"):
        with pytest.raises(DataError, match="cannot go into a release"):
            releases.write(tmp_path / "r", contents(extra={name: ""}))


BASE = {"params": {"a": 1, "b": [1.0, None]}, "rows": pl.DataFrame({"x": [1.0, None], "k": ["u", None]})}


def test_the_fingerprint_is_of_contents_alone() -> None:
    again = {"rows": pl.DataFrame({"x": [1.0, None], "k": ["u", None]}), "params": {"b": [1.0, None], "a": 1}}
    assert releases.fingerprint(BASE) == releases.fingerprint(again)
    assert len(releases.fingerprint(BASE)) == 64
    assert releases.fingerprint({"x": np.array([np.nan])}) == releases.fingerprint({"x": np.array([-np.nan])})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab"], ["a", "b"]),
        (1, 1.0),
        (1, True),
        ("1", 1),
        (None, "None"),
        (0.1 + 0.2, 0.3),
        (np.array([1, 2], "int32"), np.array([1, 2], "int64")),
        (np.array([[1, 2]]), np.array([1, 2])),
        (pl.Series([1.0, None]), pl.Series([None, 1.0])),
        (pl.Series(["a"]), pl.Series(["a"], dtype=pl.Categorical)),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})),
        (MADE, MADE.date()),
        (Severity.NOTE, Severity.ERROR),
        ({"a": {}}, {"a": []}),
    ],
)
def test_different_contents_have_different_fingerprints(one: object, other: object) -> None:
    assert releases.fingerprint({"x": one}) != releases.fingerprint({"x": other})


def test_equal_contents_of_every_kind_have_one_fingerprint() -> None:
    finding = Finding("coverage", Severity.NOTE, "rides", "fine", rows=1)
    told = {
        "plain": {"check": "coverage", "severity": "note", "subject": "rides", "message": "fine"},
        "times": [MADE, MADE.date(), MADE - MADE],
        "arrays": [
            np.array([1, 2]),
            np.array([True]),
            np.array(["a", "b"]),
            np.float64(0.5),
            np.array([None, "x"], object),
        ],
        "bytes": b"x",
        "big": np.array([1, 2], ">i4"),
        "series": pl.Series([MADE, None]),
    }
    assert releases.fingerprint({"x": finding}) == releases.fingerprint({"x": asdict(finding)})
    assert releases.fingerprint(told) == releases.fingerprint(dict(reversed(told.items())))
    assert releases.fingerprint({"x": np.array([1, 2], ">i4")}) == releases.fingerprint({"x": np.array([1, 2], "<i4")})
    assert releases.fingerprint({"x": np.array([None, "x"], object)}) == releases.fingerprint({"x": [None, "x"]})


@pytest.mark.parametrize("name", ["../../secret.json", "/etc/hosts", "model/model.pkl"])
def test_a_manifest_cannot_name_what_is_never_read(name: str, tmp_path: Path) -> None:
    folder = releases.write(tmp_path / "r", contents()).folder
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (folder / "manifest.json").write_text(json.dumps(folders._sealed(manifest)), "utf-8")
    if name.endswith(".pkl"):
        (folder / name).write_bytes(b"")
    with pytest.raises(DataError, match="of a kind that is never read"):
        releases.read(folder)


def test_what_has_no_canonical_form_has_no_fingerprint() -> None:
    with pytest.raises(DataError, match=r"contents.a\[1\]: a object cannot be part of a fingerprint"):
        releases.fingerprint({"a": [1, object()]})


def test_outside_what_was_seen() -> None:
    schema = releases.seen(
        FEATURES.with_columns(full=pl.Series([1, 2, 3]), never=pl.Series([None] * 3, dtype=pl.Float64))
    )
    assert [(s.name, s.kind, s.missing, s.low, s.high, s.categories) for s in schema] == [
        ("lag", "number", True, 1.0, 3.0, None),
        ("kind", "category", False, None, None, ("a", "b")),
        ("full", "number", False, 1.0, 3.0, None),
        ("never", "number", True, None, None, None),
    ]
    rows = [
        {"lag": 2.0, "kind": "a", "full": 1, "never": None},
        {"lag": None, "kind": "b", "full": 3, "never": float("nan")},
        {"lag": 3.5, "kind": "a", "full": 1, "never": None},
        {"lag": 2.0, "kind": "c", "full": 1, "never": None},
        {"lag": 2.0, "kind": None, "full": 1, "never": None},
        {"lag": 2.0, "kind": "a", "full": None, "never": None},
        {"lag": 2.0, "kind": "a", "full": 1, "never": 0.0},
        {"lag": 3.09, "kind": "a", "full": 1, "never": None},  # hardly beyond: within a twentieth of the range
    ]
    questions = pl.DataFrame(rows, schema_overrides={"never": pl.Float64})
    assert releases.outside(questions, schema).to_list() == [False, False, True, True, True, True, True, False]
    with pytest.raises(DataError, match=r"lack the feature\(s\) full"):
        releases.outside(questions.drop("full"), schema)
    assert releases.outside(questions, ()).to_list() == [False] * 8
    assert releases.odd(questions, schema) == [
        Odd("kind", 2, texts=("c",)),
        Odd("full", 1, 1.0, 3.0),
        Odd("lag", 1, 1.0, 3.0, 3.5, 3.5),
        Odd("never", 1, None, None, 0.0, 0.0),
    ]
    assert releases.odd(questions[:2], schema) == []


def test_a_name_of_its_own_is_nothing_unusual() -> None:
    """Of texts that hardly come twice none is listed, so a new one is not outside; of a few kinds a new one is."""
    names = pl.DataFrame({"name": [f"n{row}" for row in range(50)], "kind": ["a", "b"] * 25})
    schema = releases.seen(names)
    assert [one.categories for one in schema] == [None, ("a", "b")]
    asked = pl.DataFrame({"name": ["new", "new"], "kind": ["a", "c"]})
    assert releases.outside(asked, schema).to_list() == [False, True]


@pytest.mark.parametrize("location", ["", "../up", "a/b", ".hidden", "new york"])
def test_paths_take_no_tricks(location: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be part of a path"):
        releases.model_folder(tmp_path, location, MADE, "mean")


def test_names_and_paths_are_in_utc(tmp_path: Path) -> None:
    assert releases.release_name("demo", datetime.fromisoformat("2026-01-02T04:04:05+01:00")) == "demo-20260102T030405Z"
    file = releases.predictions_file(tmp_path, datetime(2020, 3, 1, 6, tzinfo=UTC), datetime(2020, 3, 1, 9, tzinfo=UTC))
    assert file.parent.name == "2020-03-01T0600_to_2020-03-01T0900"
    with pytest.raises(DataError, match="has no zone"):
        releases.run_timestamp(datetime(2026, 1, 2))  # noqa: DTZ001 - the fault itself


@pytest.mark.parametrize(
    "folder", sorted((Path(__file__).parent / "data").glob("release-*")), ids=lambda path: path.name
)
def test_releases_of_every_format_keep_answering(folder: Path) -> None:
    release = releases.read(folder)
    asked = release.json("questions")
    questions = pl.DataFrame(asked["features"], schema_overrides={"temperature": pl.Float64})
    assert release.model().predict(questions) == pytest.approx(asked["predictions"], rel=1e-12)
    assert folder.name == f"release-{release.manifest['format']}"
    assert (release.name, release.facts["cut"]) == ("fixture-20260102T030405Z", "2026-01-01T00:00:00+00:00")
    assert [item.name for item in release.schema()] == questions.columns
    assert releases.outside(questions, release.schema()).to_list() == [False] * questions.height
    assert release.places() is not None
    assert release.findings()[0].rows == 400


def test_there_is_a_release_of_this_format() -> None:
    assert (Path(__file__).parent / f"data/release-{releases.FORMAT}" / "manifest.json").is_file()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_releases
from asof import releases

class Killed:
    def save(self, folder):
        (folder / "half.json").write_text("{", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)

releases.write(Path(sys.argv[2]), test_releases.contents(model=Killed()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be killed that way there")
def test_a_kill_while_writing_leaves_no_release(tmp_path: Path) -> None:
    folder = tmp_path / "models/r"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(folder)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not folder.exists()
    with pytest.raises(DataError, match=r"there is no manifest\.json"):
        releases.read(folder)
    assert releases.sweep(tmp_path) == 1
    assert releases.write(folder, contents()) == releases.read(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["r"]
