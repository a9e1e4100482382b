"""Secrets that a command line feeds to the standard input of what asks for one."""

import re
from typing import Final

from relay.service.redaction.values import REDACTED

HINTS: Final = ("echo ", "printf ", "<<<")

_READER: Final = re.compile(
    r"(?:^|[\s/])(?:cryptsetup|chpasswd|passwd|smbpasswd|kinit|gpg2?|mkpasswd|htpasswd|sshpass|"
    r"su|systemd-creds|ansible-vault|pass\s{1,4}insert|sudo\s[^|]{0,40}-\w{0,8}S|"
    r"virsh\s{1,4}secret-set-value|(?:podman|docker|nerdctl)\s{1,4}secret\s{1,4}create|"
    r"(?:kubectl|oc)\s[^|]{0,80}\bsecret|vault\s{1,4}(?:kv|write|login)|gcloud\s{1,4}secrets|"
    r"(?:\S{1,40}\s){1,12}--?(?:\w{1,20}-)?(?:stdin|with-token|pass(?:in|out)?\s{1,4}stdin))"
    r"(?=\s|$)"
)
"""Commands and options that read a password, token or key from what comes in."""

_PIPED: Final = re.compile(
    r"(?P<before>\b(?:echo|printf)\s{1,4}(?:-\w{1,4}\s{1,4}){0,3}"
    r"(?:(?P<quote>[\"']?)%s(?:\\n)?(?P=quote)\s{1,4})?)"
    r"(?P<said>[^|\n]{1,400}?)(?=\s{0,4}\|(?P<reader>[^\n;&]{1,200}))"
)
_HERE: Final = re.compile(
    r"(?P<before><<<[ \t]{0,4})"
    r"(?P<said>\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"'|;&<]{1,400})"
)
_BETWEEN: Final = re.compile(r"[\n;|&]")
_LONGEST_COMMAND: Final = 200


def redact_piped(text: str) -> str:
    """Return *text* without what is echoed into commands that read a secret, or given as <<<."""
    if "|" in text:
        text = _PIPED.sub(_if_piped, text)
    return _HERE.sub(_if_here, text) if "<<<" in text else text


def _if_piped(match: re.Match[str]) -> str:
    return _hidden(match) if _READER.search(match["reader"]) else match[0]


def _if_here(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - _LONGEST_COMMAND) : match.start()]
    return _hidden(match) if _READER.search(_BETWEEN.split(before)[-1]) else match[0]


def _hidden(match: re.Match[str]) -> str:
    # A variable names the secret, and does not show it.
    kept = "$" in match["said"] or REDACTED in match["said"]
    return match[0] if kept else f"{match['before']}{REDACTED}"
