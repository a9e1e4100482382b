"""One node of Apache Kafka (KRaft), run from its jars."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException

from relay.demo.ports import LOOPBACK
from tests.support.kafka.installation import copy_storage, installation
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.topics import admin_client
from tests.support.ports import free_port
from tests.support.started import Started

Address = tuple[str, int]

START_SECONDS = 60.0
STOP_SECONDS = 30.0
PROBE_SECONDS = 0.5
# Brokers live for seconds here: the better compiler and the parallel collector cost them more
# than they give, and take the processors from the tests.
JAVA_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


class KafkaBroker(Started):
    """A broker of one's own on free loopback ports; it keeps ports and data across restarts.

    It has two listeners. CLIENT is what the program under test connects to: `bootstrap`, with
    `client_protocol`, possibly advertised under another address (a proxy). ADMIN is always
    PLAINTEXT and direct: `admin_bootstrap`, for tests that set up and look.
    `properties` are server properties and win over the defaults; those of the client listener
    start with `listener.name.client.`. Alone it is a cluster of one node; see `join`.
    """

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        client_protocol: str = "PLAINTEXT",
        node: int = 1,
        java_options: Sequence[str] = JAVA_OPTIONS,
    ) -> None:
        self.address: Address = (LOOPBACK, free_port())
        self._admin_port, self._controller_port = free_port(), free_port()
        self.node = node
        self.voters: Mapping[int, str] = {node: f"{LOOPBACK}:{self._controller_port}"}
        self._advertised = self.address
        self._client_protocol = client_protocol
        self._properties = dict(properties or {})
        self._java_options = list(java_options)
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path(tempfile.mkdtemp(prefix="relay-kafka-"))
        self.log_path = self._directory / "broker.log"

    @property
    def bootstrap(self) -> str:
        """The advertised address of the CLIENT listener."""
        host, port = self._advertised
        return f"{host}:{port}"

    @property
    def admin_bootstrap(self) -> str:
        """The ADMIN listener: no proxy, no TLS, no credentials."""
        return f"{LOOPBACK}:{self._admin_port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id, None while it is stopped."""
        return self._process.pid if self._process else None

    def advertise(self, address: Address) -> None:
        """Let clients come by this address, such as a proxy's; in force from the next start."""
        self._advertised = address

    def join(self, voters: Mapping[int, str]) -> None:
        """Be a node of the cluster of these voters, by node and address; from the next start on.

        A node that is not among them has no vote.
        """
        self.voters = voters

    def start(self) -> Self:
        """Start the broker and wait until it answers.

        Raises:
            KafkaUnavailableError: Java or the jars are missing, or the broker did not come up.
        """
        if self._process is None:
            self.launch()
            self.await_answer()
        return self

    def launch(self) -> None:
        """Start the broker: where it is one of many, it answers when most of them run.

        Raises:
            KafkaUnavailableError: Java or the jars are missing.
        """
        kafka = installation(JAVA_OPTIONS)
        configuration = self._configure()
        if not (data := self._directory / "data").exists():
            copy_storage(kafka, data, self.node)
        # What it unpacks for itself goes with it.
        files = f"-Djava.io.tmpdir={self._directory}"
        command = kafka.command(*self._java_options, files)
        self._process = self._spawn([*command, "kafka.Kafka", str(configuration)])

    def await_answer(self) -> None:
        """Wait until it answers, and is known to the cluster.

        Raises:
            KafkaUnavailableError: it did not come up.
        """
        deadline = time.monotonic() + START_SECONDS
        admin = admin_client(self.admin_bootstrap)
        while self._running().poll() is None and time.monotonic() < deadline:
            try:
                if self.node in admin.list_topics(timeout=PROBE_SECONDS).brokers:
                    return
            except KafkaException:
                continue
        self.kill()
        raise KafkaUnavailableError(f"Kafka did not start:\n{self.log_tail()}")

    def stop(self) -> None:
        """Shut down in good order; clients see their connections closed."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End at once, as a crash does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the broker: connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen broker go on."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the broker, frozen or not, and remove its data. May be called again."""
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _configure(self) -> Path:
        (host, port), admin = self.address, f"ADMIN://{self.admin_bootstrap}"
        controller = f",CONTROLLER://{LOOPBACK}:{self._controller_port}"
        votes = self.node in self.voters
        properties = {
            "process.roles": "broker,controller" if votes else "broker",
            "node.id": str(self.node),
            "controller.quorum.voters": ",".join(f"{n}@{at}" for n, at in self.voters.items()),
            "listeners": f"CLIENT://{host}:{port},{admin}{controller if votes else ''}",
            "advertised.listeners": f"CLIENT://{self.bootstrap},{admin}",
            "listener.security.protocol.map": (
                f"CLIENT:{self._client_protocol},ADMIN:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name": "ADMIN",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._directory / "data"),
            # A broker that crashed is let in again only after its old session has ended.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
        } | self._properties
        path = self._directory / "server.properties"
        path.write_text("".join(f"{k}={_escaped(v)}\n" for k, v in properties.items()))
        return path

    def _spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal ends the tests first; they end the broker.
                start_new_session=True,
            )

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the broker is not running: call start() first"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the broker wrote."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n")
