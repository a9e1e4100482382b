"""The variables that the chart makes of existing Secrets open a real broker."""

import json
from collections.abc import Callable

import pytest
import trustme

from tests.deployment.rendering import environment, render
from tests.faults.security.certificates import broker_certificate, ca_pem
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.topics import create_topic
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest

LISTENER = "listener.name.client."


@pytest.mark.kafka
def test_secrets_of_strimzi_open_a_broker_that_asks_for_certificates(
    make_broker: Callable[..., KafkaBroker],
    database: Database,
    run_relay: Callable[..., ProcessUnderTest],
) -> None:
    authority = trustme.CA()
    listener = dict(broker_certificate(authority)) | {
        "ssl.keystore.type": "PEM",
        "ssl.client.auth": "required",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": ca_pem(authority),
    }
    broker = make_broker(
        {LISTENER + name: value for name, value in listener.items()}, client_protocol="SSL"
    )
    create_topic(broker.admin_bootstrap, "events-stream", partitions=1)
    client = broker_certificate(authority, "relay")
    secrets = {
        ("relay", "user.crt"): client["ssl.keystore.certificate.chain"],
        ("relay", "user.key"): client["ssl.keystore.key"],
        ("cluster-ca-cert", "ca.crt"): ca_pem(authority),
        ("outbox-database", "DATABASE_URL"): database.dsn,
    }
    values = {
        "database": {"secret": "outbox-database"},
        "kafka": {
            "bootstrapServer": broker.bootstrap,
            "tls": {"caSecret": "cluster-ca-cert", "clientSecret": "relay"},
        },
    }
    given = {
        name: secrets[value] if isinstance(value, tuple) else value
        for name, value in environment(render(values), "Deployment").items()
    }
    checked = run_relay("check", "--json", environment=given)
    assert checked.wait() == 0, checked.output
    assert outcome(checked, "topic") == "ok"
    assert "PRIVATE KEY" not in checked.output

    without = given | {"KAFKA_PROPERTY_SSL_CERTIFICATE_PEM": "", "KAFKA_PROPERTY_SSL_KEY_PEM": ""}
    refused = run_relay("check", "--json", environment=without)
    refused.wait()
    assert outcome(refused, "broker") != "ok"


def outcome(checked: ProcessUnderTest, subject: str) -> str:
    findings = json.loads(checked.stdout[-1])["findings"]
    (found,) = (finding for finding in findings if finding["subject"] == subject)
    return str(found["outcome"])
