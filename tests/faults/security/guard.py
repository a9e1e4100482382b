"""A broker that asks who is there: TLS, a password, and what one is allowed to do."""

import itertools
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tests.faults.security.certificates import broker_certificate
from tests.support.eventually import eventually
from tests.support.kafka.proxied import ProxiedBroker, proxied_broker
from tests.support.kafka.topics import REQUEST_SECONDS, admin_client

USER: Final = "relay"
PASSWORD: Final = "the-right-password"
_SCRAM_MODULE: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_LISTENER: Final = "listener.name.client."
# What a relay needs on its topic.
NEEDED: Final = (AclOperation.WRITE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS)


@dataclass
class Guard:
    """The broker, and what its administrator changes while it runs.

    The controller's answer comes before the broker acts on a change: each is waited for.
    """

    proxied: ProxiedBroker
    ca: trustme.CA
    # The one thing that can be seen of a password, so a new one for each.
    _iterations: Iterator[int] = field(default_factory=lambda: itertools.count(4096))

    def set_password(self, password: str = PASSWORD) -> None:
        """Give the relay's user this password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, next(self._iterations))
        self._alter(UserScramCredentialUpsertion(USER, info, password.encode()))
        eventually(lambda: self._credentials() == [info.iterations])

    def revoke_user(self) -> None:
        """Take the credential away. It counts for new connections: those open are reset."""
        self._alter(UserScramCredentialDeletion(USER, ScramMechanism.SCRAM_SHA_512))
        eventually(lambda: self._credentials() == [])
        self.proxied.proxy.cut()

    def allow(self, topic: str, *operations: AclOperation) -> None:
        """Let the relay's user do this with the topic, and nothing else."""
        self._forbid(topic)
        allowed = [
            AclBinding(
                ResourceType.TOPIC, topic, ResourcePatternType.LITERAL,
                f"User:{USER}", "*", operation, AclPermissionType.ALLOW,
            )
            for operation in operations
        ]  # fmt: skip
        for made in self._admin.create_acls(allowed).values():
            made.result(REQUEST_SECONDS)
        eventually(lambda: len(self._allowed(topic)) == len(operations))

    def forbid_everything(self) -> None:
        """Take back all that was allowed, on every topic."""
        self._forbid(None)

    def show(self, certificate: Mapping[str, str]) -> None:
        """Show this certificate to whoever connects from now on."""
        changes = [
            ConfigEntry(_LISTENER + name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in certificate.items()
        ]
        broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=changes)
        self._admin.incremental_alter_configs([broker])[broker].result(REQUEST_SECONDS)
        wanted = _first(certificate["ssl.keystore.certificate.chain"])
        address = self.proxied.broker.address
        eventually(lambda: _first(ssl.get_server_certificate(address)) == wanted)

    @cached_property
    def _admin(self) -> AdminClient:
        return admin_client(self.proxied.broker.admin_bootstrap)

    def _forbid(self, topic: str | None) -> None:
        for gone in self._admin.delete_acls([_rights(topic)]).values():
            gone.result(REQUEST_SECONDS)
        eventually(lambda: self._allowed(topic) == [])

    def _allowed(self, topic: str | None) -> list[AclBinding]:
        return list(self._admin.describe_acls(_rights(topic)).result(REQUEST_SECONDS))

    def _credentials(self) -> list[int]:
        """The iterations of each password of the relay's user."""
        asked: Any = self._admin.describe_user_scram_credentials()
        found = asked.result(REQUEST_SECONDS)
        return [i.iterations for i in found[USER].scram_credential_infos] if USER in found else []

    def _alter(self, change: UserScramCredentialAlteration) -> None:
        for altered in self._admin.alter_user_scram_credentials([change]).values():
            altered.result(REQUEST_SECONDS)


def _rights(topic: str | None) -> AclBindingFilter:
    """All that anybody may do with this topic, or with any."""
    return AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL,  # type: ignore[arg-type]
        None, None, AclOperation.ANY, AclPermissionType.ANY,  # type: ignore[arg-type]
    )  # fmt: skip


def _first(chain: str) -> bytes:
    """The certificate of the server itself."""
    return ssl.PEM_cert_to_DER_cert(chain[: chain.index("-----END") + len(ssl.PEM_FOOTER)])


@contextmanager
def guarded_broker() -> Iterator[Guard]:
    """Run one behind a proxy; its ADMIN listener lets everybody do everything.

    Raises:
        KafkaUnavailableError: Java or the jars are missing, or the broker did not come up.
    """
    ca = trustme.CA()
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        f"{_LISTENER}sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"{_LISTENER}scram-sha-512.sasl.jaas.config": f"{_SCRAM_MODULE} required;",
        f"{_LISTENER}ssl.keystore.type": "PEM",
        # Each thread changes to a new certificate by itself: with one there is nobody left who
        # shows the old one once a new connection has seen the new one.
        f"{_LISTENER}num.network.threads": "1",
        "ssl.allow.dn.changes": "true",
        "ssl.allow.san.changes": "true",
    }
    certificate = {_LISTENER + k: v for k, v in broker_certificate(ca).items()}
    with proxied_broker(properties | certificate, client_protocol="SASL_SSL") as proxied:
        yield Guard(proxied, ca)
