"""deploy/all.sh: what it asks of kubectl and helm, which here only write that down."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.chart import REPOSITORY
from tests.deployment.rendering import containers, validate

# Writes its arguments, and the manifests that it is to apply; knows no Secret yet.
PROGRAM = """#!/bin/sh
echo "${0##*/} $*" >>"$RECORD"
case "$*" in
  *"get secret"*) exit 1 ;;
  api-versions) echo "$API_VERSIONS" ;;
  *"apply -f -"*) cat >>"$RECORD.applied"; echo --- >>"$RECORD.applied" ;;
esac
"""

Deploy = Callable[..., str]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def deploy(tmp_path: Path, record: Path) -> Deploy:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("kubectl", "helm"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)

    def run(argument: str, **environment: str) -> str:
        path = f"{programs}:{os.environ['PATH']}"
        given = {"PATH": path, "RECORD": str(record), "API_VERSIONS": "apps/v1", **environment}
        script = str(REPOSITORY / "deploy" / "all.sh")
        subprocess.run([script, argument], env=given, check=True, capture_output=True)
        return record.read_text()

    return run


def applied(record: Path) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all(record.with_name("record.applied").read_text())
    return [document for document in documents if document]


def names(record: Path) -> set[str]:
    return {each["metadata"]["name"] for each in applied(record)}


def variables(record: Path) -> dict[str, str]:
    (service,) = (each for each in containers(applied(record)) if each["name"] == "service")
    return {each["name"]: each.get("value", "") for each in service["env"]}


def test_with_streaming_there_is_a_kafka_with_the_topic(deploy: Deploy, record: Path) -> None:
    asked = deploy("up", ENABLE_EVENT_STREAMING="true", IMAGE="registry:5000/relay:7")
    assert names(record) == {"postgres", "ai-kafka", "service"}
    assert "--create --if-not-exists --topic events-stream" in asked
    assert "streaming=true,kafka.bootstrapServer=ai-kafka:9092" in asked
    given = variables(record)
    assert given["ENABLE_EVENT_STREAMING"] == "true"
    assert given["KAFKA_BOOTSTRAP_SERVER"] == "ai-kafka:9092"
    assert given["KAFKA_EVENT_STREAM_TOPIC"] == "events-stream"


def test_a_new_topic_has_the_partitions_that_are_asked_for(deploy: Deploy) -> None:
    asked = deploy("up", ENABLE_EVENT_STREAMING="true", PARTITIONS="12")
    assert "--topic events-stream --partitions 12" in asked


@pytest.mark.parametrize("word", ["True", "TRUE", "yes", "on", "1"])
def test_streaming_is_read_as_the_relay_reads_it(deploy: Deploy, record: Path, word: str) -> None:
    assert "streaming=true" in deploy("up", ENABLE_EVENT_STREAMING=word)
    assert variables(record)["ENABLE_EVENT_STREAMING"] == "true"


@pytest.mark.parametrize("word", ["ture", "enabled", " "])
def test_a_word_that_says_neither_is_refused_before_anything_is_done(
    deploy: Deploy, record: Path, word: str
) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        deploy("up", ENABLE_EVENT_STREAMING=word)
    assert refused.value.returncode == 2
    assert b"set it to true or false" in refused.value.stderr
    assert not record.exists()


def test_the_preset_reaches_relay_and_service(deploy: Deploy, record: Path) -> None:
    asked = deploy("up", EVENT_STREAM_PRESET="existing-consumers")
    assert "environment.EVENT_STREAM_PRESET=existing-consumers" in asked
    assert variables(record)["EVENT_STREAM_PRESET"] == "existing-consumers"


def test_without_a_preset_none_is_set(deploy: Deploy, record: Path) -> None:
    assert "EVENT_STREAM_PRESET" not in deploy("up")
    assert "EVENT_STREAM_PRESET" not in variables(record)


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("registry:5000/relay:7", ("registry:5000/relay", "7", "")),
        ("localhost:5000/outbox-relay", ("localhost:5000/outbox-relay", "latest", "")),
        ("outbox-relay", ("outbox-relay", "latest", "")),
        (f"localhost:5000/relay@{DIGEST}", ("localhost:5000/relay", "latest", DIGEST)),
        (f"registry/team/relay:7@{DIGEST}", ("registry/team/relay", "7", DIGEST)),
    ],
)
def test_an_image_is_taken_apart_as_docker_reads_it(
    deploy: Deploy, image: str, parts: tuple[str, str, str]
) -> None:
    repository, tag, digest = parts
    asked = deploy("up", IMAGE=image)
    assert f"image.repository={repository},image.tag={tag},image.digest={digest} " in asked


def test_a_failed_upgrade_is_taken_back(deploy: Deploy) -> None:
    (upgrade,) = (line for line in deploy("up").splitlines() if line.startswith("helm upgrade"))
    assert "--atomic" in upgrade


def test_without_it_the_same_minus_kafka(deploy: Deploy, record: Path) -> None:
    asked = deploy("up")
    assert names(record) == {"postgres", "service"}
    assert "kafka-topics.sh" not in asked
    assert "streaming=false" in asked
    assert variables(record)["ENABLE_EVENT_STREAMING"] == "false"


@pytest.mark.early
def test_every_object_is_valid_and_restricted(deploy: Deploy, record: Path) -> None:
    deploy("up", ENABLE_EVENT_STREAMING="true")
    for each in applied(record):
        validate(each, "1.29")
    for container in containers(applied(record)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_on_openshift_no_uid_is_named(deploy: Deploy, record: Path) -> None:
    deploy("up", ENABLE_EVENT_STREAMING="true", API_VERSIONS="security.openshift.io/v1")
    pods = [
        each["spec"]["template"]["spec"] for each in applied(record) if "template" in each["spec"]
    ]
    assert [sorted(pod["securityContext"]) for pod in pods] == [
        ["runAsNonRoot", "seccompProfile"]
    ] * 3


def test_a_namespace_may_be_named_and_everything_is_removed(deploy: Deploy) -> None:
    asked = deploy("down", NAMESPACE="trial").splitlines()
    assert len(asked) == 4
    assert all("--namespace trial" in line for line in asked)
