"""Apache Kafka as every broker of this checkout starts it: with storage and classes at hand.

To format its storage and to load its classes is most of what a broker does that lives for seconds.
The first one does both, and leaves them for the others.
"""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from relay.demo.ports import LOOPBACK
from tests.support.eventually import eventually
from tests.support.kafka.libraries import KafkaUnavailableError, alone, kafka_libraries
from tests.support.ports import free_port

CLUSTER_ID: Final = "b3V0Ym94LXJlbGF5LXRlcw"
_SECONDS: Final = 60.0
_STARTED: Final = "Kafka Server started"
# Of a Java that was ended by SIGTERM in good order.
_ENDED: Final = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Installation:
    """Java and the jars, and beside these an archive of their classes and formatted storage."""

    java: str
    libraries: Path

    @property
    def classes(self) -> Path:
        """Classes as Java loads them; without effect where it finds that they are not its own."""
        return self.libraries.with_name("classes.jsa")

    @property
    def storage(self) -> Path:
        """Storage of node 1, without a topic."""
        return self.libraries.with_name("storage")

    def command(self, *options: str) -> list[str]:
        """Return the command that runs a class of Kafka, whose name comes next."""
        if self.classes.exists():
            options = (f"-XX:SharedArchiveFile={self.classes}", *options)
        return [self.java, *options, "-Dlog4j2.level=INFO", "-cp", f"{self.libraries}/*"]


def installation(java_options: Sequence[str]) -> Installation:
    """Return what brokers start from, made now if this is the first.

    Raises:
        KafkaUnavailableError: Java or the jars are missing, or Kafka does not start.
    """
    java = shutil.which("java")
    if java is None:
        raise KafkaUnavailableError("Java, which runs Kafka, is not installed")
    made = Installation(java, kafka_libraries())
    with alone(made.libraries.with_name("storage.lock")):
        if not made.storage.exists():
            _make(made, java_options)
    return made


def copy_storage(made: Installation, directory: Path, node: int) -> None:
    """Copy the formatted storage to *directory*, as that of *node*."""
    shutil.copytree(made.storage, directory)
    properties = directory / "meta.properties"
    lines = properties.read_text().splitlines()
    # Without an id of its own the directory is given one.
    kept = [line for line in lines if not line.startswith(("node.id=", "directory.id="))]
    properties.write_text("\n".join([*kept, f"node.id={node}", ""]))


def _make(made: Installation, java_options: Sequence[str]) -> None:
    """Format storage, and let a broker run on it that notes its classes when it ends."""
    with tempfile.TemporaryDirectory(dir=made.libraries.parent) as name:
        directory = Path(name)
        configuration = directory / "server.properties"
        configuration.write_text(_configuration(directory / "data"))
        kafka = made.command(*java_options)
        format_ = ["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]
        _run([*kafka, *format_, str(configuration)], directory, until=None)
        shutil.copytree(directory / "data", directory / "storage")
        kafka.insert(1, f"-XX:ArchiveClassesAtExit={directory / 'classes'}")
        _run([*kafka, "kafka.Kafka", str(configuration)], directory, until=_STARTED)
        # Java of another maker may keep no archive.
        if (directory / "classes").exists():
            (directory / "classes").rename(made.classes)
        # Last: whoever finds it finds all.
        (directory / "storage").rename(made.storage)


def _configuration(data: Path) -> str:
    broker, controller = (f"{LOOPBACK}:{free_port()}" for _ in range(2))
    return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=CLIENT://{broker},CONTROLLER://{controller}
advertised.listeners=CLIENT://{broker}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
"""


def _run(command: Sequence[str], directory: Path, *, until: str | None) -> None:
    """Run *command* to its end, or until it logs *until*.

    Raises:
        KafkaUnavailableError: it failed, or took too long.
    """
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output)
    try:
        if until is not None:
            eventually(
                lambda: process.poll() is not None or until in log.read_text(errors="replace"),
                timeout=_SECONDS,
                what=f"{command[0]} logs {until!r}",
            )
            process.terminate()
        code = process.wait(_SECONDS)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        raise KafkaUnavailableError(f"Kafka did not start: {error}") from error
    finally:
        process.kill()
        process.wait()
    if code not in (0, _ENDED):
        tail = log.read_text(errors="replace")[-2000:]
        raise KafkaUnavailableError(f"Kafka ended with {code}:\n{tail}")
