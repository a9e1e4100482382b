"""A node of Kafka is away and the two others carry on, or all of them are."""

import random
import time
from collections.abc import Mapping

from tests.soak.faults.fault import CleanUp, Fault, network, outage
from tests.soak.settings import TOPIC
from tests.soak.stage import Stage
from tests.support.kafka.broker import KafkaBroker
from tests.support.tcp_proxy import Mode, TcpProxy


def kafka_faults(relays: int) -> Mapping[str, Fault]:
    """Return the faults of Kafka by name; each of the *relays* may lose its lease by one."""
    stories = {
        "node_killed": node_killed,
        "node_stopped": node_stopped,
        "node_frozen": node_frozen,
        "node_cut_off": network(_way_to_one, Mode.BLACK_HOLE),
        "leaders_moved": leaders_moved,
        "cluster_killed": cluster_killed,
        "cluster_frozen": cluster_frozen,
        "kafka_cut": network(_ways, Mode.CUT),
        "kafka_black_hole": network(_ways, Mode.BLACK_HOLE),
        "kafka_answers_lost": network(_ways, Mode.DROP_RESPONSES),
    }
    return {name: outage(story, relays) for name, story in stories.items()}


def node_killed(stage: Stage, source: random.Random) -> CleanUp:
    _some(stage, source).kill()
    return _complete


def node_stopped(stage: Stage, source: random.Random) -> CleanUp:
    _some(stage, source).stop()
    return _complete


def node_frozen(stage: Stage, source: random.Random) -> CleanUp:
    node = _some(stage, source)
    node.pause()

    def thaw(stage: Stage) -> None:
        node.resume()
        _complete(stage)

    return thaw


def leaders_moved(stage: Stage, source: random.Random) -> None:
    """Give a node's partitions to others, and then, while all work, back to it."""
    _some(stage, source).stop()
    _complete(stage)
    stage.kafka.lead_as_created(TOPIC)


def cluster_killed(stage: Stage, _: random.Random) -> None:
    for node in stage.kafka.nodes:
        node.kill()
    # Its own recovery is not the relay's, and takes as long as the machine is busy.
    _complete(stage)


def cluster_frozen(stage: Stage, source: random.Random) -> CleanUp:
    for node in stage.kafka.nodes:
        node.pause()
    time.sleep(source.uniform(1, 6))
    for node in stage.kafka.nodes:
        node.resume()
    return _complete


def _complete(stage: Stage) -> None:
    """Have three nodes again that hold everything, so that any of them may be harmed next."""
    stage.kafka.start()
    stage.kafka.await_in_sync(TOPIC)


def _some(stage: Stage, source: random.Random) -> KafkaBroker:
    return source.choice(stage.kafka.nodes)


def _ways(stage: Stage, _: random.Random) -> list[TcpProxy]:
    return stage.to_kafka


def _way_to_one(stage: Stage, source: random.Random) -> list[TcpProxy]:
    return [source.choice(stage.to_kafka)]
