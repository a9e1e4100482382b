"""Private keys: in PEM, in what is left of PEM, and in the bytes themselves."""

import re
from typing import Final

from relay.service.redaction.shape import Shape
from relay.service.redaction.values import REDACTED

_NAME: Final = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-----?"

PRIVATE_KEY_SHAPES: Final = (
    Shape(
        ("key",),
        re.compile(rf"-----?(?: )?BEGIN {_NAME}.*?(?:-----?(?: )?END {_NAME}|\Z)", re.DOTALL),
        REDACTED,
    ),
    Shape(
        ("key",),
        re.compile(r"Private-Lines:.*?(?:Private-MAC:[^\n]*|\Z)", re.DOTALL),
        REDACTED,
    ),
)

_DER: Final = re.compile(
    # A sequence that begins with the version of a private key: PKCS#8 with its algorithm, PKCS#1
    # with its modulus, SEC 1 with its number; or PKCS#12. A certificate begins with a sequence.
    rb"0(?:[\x20-\x7f]|\x81.|\x82..)\x02\x01(?:[\x00\x01](?:0|\x04|\x02[\x20-\x83])|\x030)|"
    # PKCS#8, encrypted: the identifier of PBES2 or of a PKCS#12 cipher comes first.
    rb"0(?:\x81.|\x82..)0[\x10-\x7f]\x06(?:\x09\*\x86H\x86\xf7\r\x01\x05|\n\*\x86H\x86\xf7\r\x01\x0c\x01)",
    re.DOTALL,
)
_OPENSSH: Final = b"openssh-key-v1\x00"


def is_private_key(data: bytes) -> bool:
    """Tell whether *data* begins as a private key does, in DER or OpenSSH's own format."""
    return data.startswith(_OPENSSH) or _DER.match(data) is not None
