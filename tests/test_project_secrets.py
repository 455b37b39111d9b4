"""Secrets stay out of everything that is shown; a project may lie in a bucket."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import projectfiles
from asof import project
from asof.errors import ProjectError, UserError
from asof.project import Project
from projectfiles import SMALL

Reader = Callable[..., Project]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Read a project file by its text."""
    return lambda text=SMALL, **options: projectfiles.read(tmp_path, text, **options)


@pytest.fixture
def faults(tmp_path: Path) -> Callable[..., list[str]]:
    """Return the faults of a project file, without its folder."""
    return lambda text=SMALL, **options: projectfiles.faults(tmp_path, text, **options)


# Secrets ------------------------------------------------------------------------------------------

SOCRATA = SMALL.replace(
    "files: orders.csv", "socrata: {domain: data.org, dataset: abcd-1234, since: 2020-01-01, token: TOKEN}"
)
SECRET = "xyz0123456789"
ADVICE = "a token is never written here: put it into a variable, write its name, such as ${SOCRATA_APP_TOKEN}"


def test_a_token_stays_a_reference(reader: Reader) -> None:
    read = reader(SOCRATA.replace("TOKEN", "${MY_TOKEN}"), environ={"MY_TOKEN": SECRET})
    assert read.spec.sources["orders"].socrata is not None
    assert read.spec.sources["orders"].socrata.token == "${MY_TOKEN}"
    assert read.origins["sources.orders.socrata.token"].value == "${MY_TOKEN}"
    for text in (project.resolved(read), repr(read), str(project.show(read))):
        assert SECRET not in text
    assert reader(project.resolved(read)).spec == read.spec


@pytest.mark.parametrize("token", [SECRET, f"${{MY_TOKEN:-{SECRET}}}", f"a${{MY_TOKEN}}{SECRET}", f"[{SECRET}]"])
def test_a_token_in_the_file_is_refused_and_not_repeated(faults: Callable[..., list[str]], token: str) -> None:
    (found,) = faults(SOCRATA.replace("TOKEN", token))
    assert found == f"project.yaml:4: sources.orders.socrata.token: {ADVICE}"


def test_a_token_on_the_command_line_is_refused_and_not_repeated(faults: Callable[..., list[str]]) -> None:
    found = faults(SOCRATA.replace("TOKEN", "${T}"), overrides=[f"sources.orders.socrata.token={SECRET}"])
    assert found == [
        f"--set sources.orders.socrata.token=…: sources.orders.socrata.token: {ADVICE}",
    ]


def test_values_of_secret_variables_are_never_shown(reader: Reader, faults: Callable[..., list[str]]) -> None:
    text = SMALL + "tracking: https://me:${MLFLOW_PASSWORD}@host\n"
    read = reader(text, environ={"MLFLOW_PASSWORD": SECRET})
    assert read.spec.tracking == f"https://me:{SECRET}@host"
    assert "tracking: https://me:${MLFLOW_PASSWORD}@host" in project.resolved(read)
    assert SECRET not in project.resolved(read) + str(project.show(read)) + str(read.origins) + repr(read)
    again = reader(project.resolved(read), environ={"MLFLOW_PASSWORD": SECRET})
    assert again.spec == read.spec
    hidden = reader(
        text.replace("https://me:${MLFLOW_PASSWORD}@host", "${WHERE}"), environ={"WHERE": f"http://a:{SECRET}@h"}
    )
    assert SECRET not in project.resolved(hidden) + str(project.show(hidden))
    assert faults(f"{SMALL}train: {{seed: ${{API_KEY}}}}\n", environ={"API_KEY": SECRET}) == [
        "project.yaml:9: train.seed: expected a whole number, got '${API_KEY}'"
    ]


@pytest.mark.parametrize("written", [f"https://me:{SECRET}@host", f"${{W:-https://me:{SECRET}@host}}"])
def test_a_password_in_an_address_is_refused_and_not_repeated(faults: Callable[..., list[str]], written: str) -> None:
    (found,) = faults(SMALL + f"tracking: {written}\n")
    assert SECRET not in found
    assert found.startswith("project.yaml:9: tracking: a password is never written here: put the address into")


def test_a_password_on_the_command_line_is_refused_and_not_repeated(faults: Callable[..., list[str]]) -> None:
    (found,) = faults(overrides=[f"tracking=https://me:{SECRET}@host"])
    assert found.startswith("--set tracking=…: tracking: a password is never written here")


# An address in a bucket ---------------------------------------------------------------------------


DEV = "environments: {dev: {train: {budget: 5s}}}\n"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve a bucket on this machine."""
    server_module = pytest.importorskip("moto.server", reason="missing: moto")
    boto3 = pytest.importorskip("boto3", reason="missing: boto3")
    pytest.importorskip("obstore", reason="missing: obstore")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket="projects")
        client.put_object(Bucket="projects", Key="sales/project.yaml", Body=(SMALL + DEV).encode())
        client.put_object(Bucket="projects", Key="broken.yaml", Body=b"nam: sales\n")
        client.close()
        yield "s3://projects"
    finally:
        server.stop()


@pytest.mark.needs("moto")
def test_a_project_in_a_bucket(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for address in (f"{bucket}/sales/project.yaml", f"{bucket}/sales", f"{bucket}/sales/"):
        read = project.read(address, environment="dev", environ={})
        assert read.spec.train.budget == "5s"
        assert read.folder == tmp_path
        assert read.origins["name"].file == f"{bucket}/sales/project.yaml"
    with pytest.raises(ProjectError, match=r"^s3://projects/broken\.yaml:1: nam: unknown name; did you mean name\?"):
        project.read(f"{bucket}/broken.yaml")
    with pytest.raises(UserError, match=r"s3://projects/none\.yaml"):
        project.read(f"{bucket}/none.yaml")
