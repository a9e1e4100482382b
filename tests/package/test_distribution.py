"""The wheel and the sdist, installed where nothing of the development's is."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.repository import ROOT

UV = Path(sys.executable).with_name("uv")
LOCK = ROOT / "requirements.lock"
WRITER = """
import sys, relay
relay.Event, relay.load_catalogue
assert relay.Outbox.from_environment().streaming
extras = {"confluent_kafka", "prometheus_client", "rich", "tenacity", "typer", "pythonjsonlogger"}
assert not extras & sys.modules.keys()
"""
STREAMING = {
    "ENABLE_EVENT_STREAMING": "true",
    "KAFKA_BOOTSTRAP_SERVER": "kafka:9092",
    "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
}


def run(*command: object, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    ran = subprocess.run(
        list(map(str, command)),
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def succeeded(*command: object, environment: Mapping[str, str] | None = None) -> str:
    code, said = run(*command, environment=environment)
    assert code == 0, said
    return said


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    # The build tools are those of this environment, so that nothing is fetched for it.
    succeeded(
        UV,
        "build",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        directory,
        ROOT,
    )
    return directory


@pytest.fixture(scope="session")
def base(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel and no extra."""
    environment = tmp_path_factory.mktemp("base") / "venv"
    (wheel,) = built.glob("*.whl")
    succeeded(UV, "venv", "--python", sys.executable, environment)
    succeeded(
        UV, "pip", "install", "--python", environment / "bin/python", "--constraint", LOCK, wheel
    )
    return environment / "bin"


def test_the_sdist_makes_the_same_wheel(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"relay/__main__.py", "relay/py.typed"} <= names
    assert any(name.endswith(".sql") for name in names)
    # What pages are made of: nothing is fetched from elsewhere.
    for room in ("relay/console/static", "relay/console/templates", "relay/service/api/static"):
        files = {str(f.relative_to(ROOT)) for f in (ROOT / room).rglob("*") if f.is_file()}
        assert files <= names
        assert files
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "relay/__main__.py"} <= inside


def test_a_service_writes_with_the_base_alone(base: Path) -> None:
    succeeded(base / "python", "-c", WRITER, environment=STREAMING)


@pytest.mark.parametrize("program", ["relay", "outbox-relay"])
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ((), "daemon"),
        (("run",), "daemon"),
        (("api",), "api"),
        (("console",), "console"),
        (("demo", "--keep"), "demo"),
    ],
)
def test_a_command_says_which_extra_it_needs(
    base: Path, program: str, command: tuple[str, ...], extra: str
) -> None:
    code, said = run(base / program, *command)
    assert code == 2
    assert said.strip().endswith(f'is not installed: pip install "outbox-relay[{extra}]"')
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "beside",
    [
        ("sqlalchemy~=2.0.36", "pydantic<2.14"),
        ("confluent-kafka==2.6.0",),
        ("psycopg~=3.3.6", "pyyaml<7"),
    ],
)
def test_it_resolves_beside_a_services_own_requirements(
    tmp_path: Path, beside: tuple[str, ...]
) -> None:
    wanted = tmp_path / "requirements.in"
    wanted.write_text("\n".join([f"outbox-relay[all] @ {ROOT.as_uri()}", *beside]))
    succeeded(UV, "pip", "compile", "--quiet", "--python", sys.executable, wanted)
