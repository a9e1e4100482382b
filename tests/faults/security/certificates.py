"""Certificates of the broker, made when they are needed, as Kafka takes them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from relay.demo.ports import LOOPBACK


def ca_pem(ca: trustme.CA) -> str:
    """The certificate that clients of *ca* are given."""
    return ca.cert_pem.bytes().decode()


def broker_certificate(
    ca: trustme.CA, host: str = LOOPBACK, *, expired: bool = False
) -> Mapping[str, str]:
    """The settings of a listener that shows a certificate for *host*."""
    ends = datetime.now(UTC) - timedelta(days=1) if expired else None
    certificate = ca.issue_cert(host, not_after=ends)
    # Kafka reads no other form of a key than PKCS #8.
    key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    chain = "".join(blob.bytes().decode() for blob in certificate.cert_chain_pems)
    return {"ssl.keystore.certificate.chain": chain, "ssl.keystore.key": key_pem}
