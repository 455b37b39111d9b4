"""A project and all that it keeps in an object store: the same run as on a laptop."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest

from asof.adapters import objects
from asof.cli import main
from tests import servers
from tests.flows import world


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of an empty bucket on a real S3 server of this machine."""
    with servers.s3() as endpoint:
        settings = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "testtest",
            "AWS_REGION": "us-east-1",
            "AWS_S3_ALLOW_UNSAFE_RENAME": "true",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        assert httpx.put(f"{endpoint}/asof").status_code == 200
        yield "s3://asof"


@pytest.mark.needs("moto")
def test_a_project_in_a_bucket(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Project file, lake, release and predictions lie in the bucket; a release answers by its address."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=150))
    objects.write_bytes(f"{bucket}/project.yaml", (folder / "project.yaml").read_bytes())
    monkeypatch.chdir(folder)
    command = [f"{bucket}/project.yaml", "--set", f"store={bucket}/kept"]
    assert main(["run", *command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["promoted"] is True
    kept = {address.removeprefix(f"{bucket}/kept/") for address in objects.find(f"{bucket}/kept/")}
    assert any(name.startswith("calls/raw/_delta_log/") for name in kept)
    manifest = next(name for name in kept if name.endswith("/manifest.json"))
    assert any(name.endswith("predictions.parquet") for name in kept)
    release = f"{bucket}/kept/{manifest.removesuffix('/manifest.json')}"
    out = folder / "answers.parquet"
    asked = ["--start", "2021-05-01", "--end", "2021-05-03", "--out", str(out), "--release", release]
    assert main(["predict", *command, *asked]) == 0
    answers = pl.read_parquet(out)
    assert answers["release"].unique().to_list() == [told["release"]]
    assert answers["prediction"].null_count() == 0
    assert main(["predict", *command, *asked[:-1], f"{bucket}/nothing"]) == 2
    assert "there is no manifest.json; expected the folder of a complete release" in capsys.readouterr().err
