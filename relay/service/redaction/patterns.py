"""What a secret looks like inside a text. Each pattern is linear in the length of the text."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from relay.service.redaction.encodings import from_base64

REDACTED: Final = "[redacted]"

STEMS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "kubeconfig",
    "dockerconfig",
    "private key",
    "api key",
    "access key",
    "encryption key",
    "signing key",
    "client key",
    "tls key",
    "shared key",
)
"""A field whose name holds one of these, in whatever spelling, holds a secret."""

WHOLE_NAMES = frozenset({"auth", "auths", "pwd", "pass", "bearer", "jwt", "psk", "otp"})
"""Too short to be looked for inside longer names."""

Replacement = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of secret. Only a text with one of the *hints* (in lower case) can have it."""

    pattern: re.Pattern[str]
    replacement: Replacement
    hints: tuple[str, ...]


_NAMES = "(?:" + "|".join(stem.replace(" ", "[-_ .]?") for stem in STEMS) + ")"
# "api_key", "api-key", "apikey": what comes before the separator is enough of a hint.
_NAME_HINTS = tuple(stem.partition(" ")[0] for stem in STEMS)
_PRIVATE_KEY = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_LINE_OF_ONE_NAME = re.compile(r"[\s-]*[\w.\"'-]*")
_LONGEST_NAME = 100


def _if_credentials(match: re.Match[str]) -> str:
    """Redact "basic dXNlcjpwYXNz", which holds a colon once decoded, not "basic installation"."""
    inside = from_base64(match[2]) or ""
    return f"{match[1]}{REDACTED}" if ":" in inside else match[0]


def _unless_prose(match: re.Match[str]) -> str:
    """Redact `password: …` at the start of a line, not "parsing the secret: not found"."""
    before = match.string[max(0, match.start() - _LONGEST_NAME) : match.start()]
    if _LINE_OF_ONE_NAME.fullmatch(before.rpartition("\n")[2]):
        return f"{match[1]}{REDACTED}"
    return match[0]


SHAPES = (
    Shape(
        re.compile(rf"-----BEGIN {_PRIVATE_KEY}.*?(?:-----END {_PRIVATE_KEY}|\Z)", re.DOTALL),
        REDACTED,
        ("private key",),
    ),
    # postgresql://user:password@host, https://token@host
    Shape(
        re.compile(r"(?i)((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{1,30}://)[^\s/?#\"'<>]+@"),
        rf"\1{REDACTED}@",
        ("://",),
    ),
    Shape(
        re.compile(
            r"(?i)(authorization[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}[\"'\\]{0,4})"
            r"(?:(?:bearer|basic|digest|negotiate)\s{1,4})?[^\s\"',\\]+"
        ),
        rf"\1{REDACTED}",
        ("authorization",),
    ),
    Shape(re.compile(r"(?i)\b(bearer\s{1,4})[a-z0-9._~+/-]{8,}=*"), rf"\1{REDACTED}", ("bearer",)),
    Shape(re.compile(r"(?i)\b(basic\s{1,4})([a-z0-9+/]{8,}={0,2})"), _if_credentials, ("basic",)),
    # A JSON web token; its first part starts with {" in base64.
    Shape(re.compile(r"(?<![\w.-])eyJ[\w-]{4,}\.[\w-]{4,}(?:\.[\w-]*){0,3}"), REDACTED, ("eyj",)),
    Shape(re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}"), REDACTED, ("akia", "asia")),
    Shape(
        re.compile(r"(?<!\w)(?:gh[pousr]_\w{30,}|github_pat_\w{30,})"),
        REDACTED,
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    ),
    # GitLab, Slack, Google, Stripe, npm and OpenShift.
    Shape(
        re.compile(
            r"(?<!\w)(?:glpat-[\w-]{16,}|xox[a-z]-[\w-]{10,}|AIza[\w-]{30,}|ya29\.[\w-]{16,}"
            r"|[sr]k_(?:live|test)_\w{16,}|npm_\w{30,}|sha256~[\w-]{20,})"
        ),
        REDACTED,
        ("glpat-", "xox", "aiza", "ya29.", "k_live_", "k_test_", "npm_", "sha256~"),
    ),
    # A hash of crypt(3): good enough to guess the password from.
    Shape(
        re.compile(r"(?<![\w$])\$(?:1|2[abxy]|5|6|7|y|gy|argon2i?d?)\$[\w./$=,+-]{20,}"),
        REDACTED,
        ("$1$", "$2", "$5$", "$6$", "$7$", "y$", "$argon2"),
    ),
    # --password … on a command line.
    Shape(
        re.compile(rf"(?i)((?<![\w-])--?[\w-]{{0,40}}?{_NAMES}[\w-]{{0,40}}\s{{1,4}})[^\s-]\S*"),
        rf"\1{REDACTED}",
        _NAME_HINTS,
    ),
    # "password": "…" and "auth": "…" in JSON, also in JSON inside of JSON, and when it is cut off.
    Shape(
        re.compile(
            rf"(?i)((?:{_NAMES}[\w .-]{{0,60}}|[\"']auth)\\{{0,9}}[\"']\s{{0,4}}:\s{{0,4}})"
            r"(\\{0,9}[\"'])(?:(?!\2).)*(?:\2|\Z)",
            re.DOTALL,
        ),
        rf"\1\2{REDACTED}\2",
        (*_NAME_HINTS, "auth"),
    ),
    # password=… in connection strings, URLs and command lines.
    Shape(
        re.compile(
            rf"(?i)({_NAMES}[\w.-]{{0,60}}\s{{0,4}}=\s{{0,4}})(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
        ),
        rf"\1{REDACTED}",
        _NAME_HINTS,
    ),
    # password: … in YAML and in headers.
    Shape(
        re.compile(
            rf"(?i)({_NAMES}[\w.-]{{0,60}}[\"']?[ \t]{{0,4}}:[ \t]{{1,4}})[^\s\[{{|>][^\n]*"
        ),
        _unless_prose,
        _NAME_HINTS,
    ),
)
