"""One node of Apache Kafka, where Java and its jars are on this machine already."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from relay.demo.broker import BrokerStartError
from relay.demo.ports import LOOPBACK, free_port

START_SECONDS: Final = 20.0
_PROBE_SECONDS: Final = 0.5
_PARTITIONS: Final = 4
# It lives for a minute: the better compiler and the parallel collector cost more than they give.
_JAVA_OPTIONS: Final = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
_CLUSTER_ID: Final = "b3V0Ym94LXJlbGF5LWRlbQ"
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=CLIENT://{host}:{client},CONTROLLER://{host}:{controller}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
"""


def libraries() -> Path | None:
    """Return the jars of $KAFKA_HOME, or those that `make test` fetched; None without Java."""
    if shutil.which("java") is None:
        return None
    checkout = Path(__file__).parents[2]
    folders = [*sorted(checkout.glob(".cache/kafka-*/libs"), reverse=True)]
    if home := os.environ.get("KAFKA_HOME"):
        folders.insert(0, Path(home, "libs"))
    return next((folder for folder in folders if folder.is_dir()), None)


class KafkaProcess:
    """A broker that can be frozen: Kafka is away, then back. It begins to start when it is made."""

    name = "Apache Kafka"
    max_message_bytes = "1000000"

    def __init__(self, topic: str, jars: Path) -> None:
        client = free_port()
        self.bootstrap = f"{LOOPBACK}:{client}"
        self.is_away = False
        self._topic = topic
        self._java = ["java", *_JAVA_OPTIONS, "-cp", f"{jars}/*"]
        self._folder = Path(tempfile.mkdtemp(prefix="relay-kafka-"))
        self._configuration = self._folder / "server.properties"
        self._configuration.write_text(
            _PROPERTIES.format(
                host=LOOPBACK, client=client, controller=free_port(), folder=self._folder
            )
        )
        storage = ["kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER_ID, "--config"]
        self._process = self._spawn(*storage, str(self._configuration))

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)
        self.is_away = True

    def resume(self) -> None:
        """Let the broker go on with what it had."""
        self._process.send_signal(signal.SIGCONT)
        self.is_away = False

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self._java, *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C in the terminal ends the demo, and the demo its broker.
                start_new_session=True,
            )

    def _start(self) -> None:
        if self._process.wait() != 0:
            raise BrokerStartError("Kafka's storage was not formatted.")
        self._process = self._spawn("kafka.Kafka", str(self._configuration))
        self._create_topic()

    def _create_topic(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        gives_up_at = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < gives_up_at:
            try:
                admin.list_topics(timeout=_PROBE_SECONDS)
            except KafkaException:
                continue
            admin.create_topics([NewTopic(self._topic, _PARTITIONS)])[self._topic].result()
            return
        raise BrokerStartError(f"Kafka did not start within {START_SECONDS:g} s.")

    def _close(self) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
