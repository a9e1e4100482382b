"""The jars of Apache Kafka, resolved once by Maven into the checkout's cache."""

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from tests.support.repository import ROOT

POM = Path(__file__).with_name("pom.xml")
CACHE = ROOT / ".cache"
# Each attempt goes on from the jars that the last one got.
DOWNLOAD_SECONDS = 80.0
DOWNLOAD_ATTEMPTS = 3


class KafkaUnavailableError(Exception):
    """No Kafka broker can be had this way; the message says why."""


def kafka_libraries() -> Path:
    """The directory of jars; complete, and shared by all test runs of this checkout.

    Raises:
        KafkaUnavailableError: Maven is missing, or it could not fetch them.
    """
    # Named after the versions asked for, so that another pom.xml gets another directory.
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    libraries = CACHE / f"kafka-{wanted}" / "libs"
    with alone(CACHE / f"kafka-{wanted}.lock"):
        if not libraries.exists():
            _fetch(libraries)
    return libraries


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep other processes out that name the same *lock*."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@retry(
    retry=retry_if_exception_type(subprocess.SubprocessError),
    stop=stop_after_attempt(DOWNLOAD_ATTEMPTS),
    wait=wait_exponential(max=10),
    reraise=True,
)
def _download(maven: str, directory: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    subprocess.run(
        [maven, "--batch-mode", "--quiet", *goal, f"-DoutputDirectory={directory}"],
        cwd=POM.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=DOWNLOAD_SECONDS,
        check=True,
    )


def _fetch(libraries: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError("Maven (mvn), which fetches Kafka's jars, is not installed")
    libraries.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libraries.parent) as partial:
        complete = Path(partial) / "libs"
        try:
            _download(maven, complete)
        except subprocess.SubprocessError as error:
            output: bytes = getattr(error, "output", None) or b""
            # Maven's first line says what happened, the others where to read about Maven.
            cause = (output.decode(errors="replace").splitlines() or [str(error)])[0]
            raise KafkaUnavailableError(f"Maven could not fetch Kafka's jars: {cause}") from error
        # Only a complete directory ever gets the name that others look for.
        complete.rename(libraries)
