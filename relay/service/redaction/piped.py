"""Secrets that a command line feeds to what asks for one, or writes into a file named so."""

import re
from typing import Final

from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.values import REDACTED

HINTS: Final = ("echo ", "printf ", "<<")

_READER: Final = re.compile(
    r"(?:^|[\s/])(?:cryptsetup|chpasswd|passwd|smbpasswd|kinit|gpg2?|mkpasswd|htpasswd|sshpass|"
    r"su|systemd-creds|ansible-vault|pass\s{1,4}insert|sudo\s[^|]{0,40}-\w{0,8}S|"
    r"virsh\s{1,4}secret-set-value|(?:podman|docker|nerdctl)\s{1,4}secret\s{1,4}create|"
    r"(?:kubectl|oc)\s[^|]{0,80}\bsecret|vault\s{1,4}(?:kv|write|login)|gcloud\s{1,4}secrets|"
    r"(?:\S{1,40}\s){1,12}--?(?:\w{1,20}-)?(?:stdin|with-token|pass(?:in|out)?\s{1,4}stdin))"
    r"(?=\s|$)"
)
"""Commands and options that read a password, token or key from what comes in."""

_ECHO: Final = (
    r"(?P<before>%s\b(?:echo|printf)\s{1,4}(?:-\w{1,4}\s{1,4}){0,3}"
    r"(?:(?P<quote>[\"']?)%%s(?:\\n)?(?P=quote)\s{1,4})?)"
)
_PIPED: Final = re.compile(
    _ECHO % "" + r"(?P<said>[^|\n]{1,400}?)(?=\s{0,4}\|(?P<reader>[^\n;&]{1,200}))"
)
_SUBSTITUTED: Final = re.compile(_ECHO % r"<\(" + r"(?P<said>[^)\n]{1,400})(?=\))")
_FILED: Final = re.compile(
    _ECHO % "" + r"(?P<said>\"[^\"\s]{1,400}\"|'[^'\s]{1,400}'|[^\s|>\"']{1,400})"
    r"(?=\s{0,4}(?:>{1,2}|\|\s{0,4}(?:sudo\s{1,4})?tee(?:\s{1,4}-a)?\s)\s{0,4}"
    r"(?:[^\s/]{0,60}/){0,12}(?P<file>[^\s/;|&]{1,100}))"
)
_DOCUMENT: Final = re.compile(r"(?<!<)<<-?[ ]?[\"']?(?P<end>\w{1,30})[\"']?[^\n]{0,100}\n")
_HERE: Final = re.compile(
    r"(?P<before><<<[ \t]{0,4})"
    r"(?P<said>\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'|[^\s\"'|;&<]{1,400})"
)
_BETWEEN: Final = re.compile(r"[\n;|&]")
_LONGEST_COMMAND: Final = 200


def redact_piped(text: str, names: Names) -> str:
    """Return *text* without what is echoed into commands and files that keep a secret, or <<."""

    def if_filed(match: re.Match[str]) -> str:
        keeps = names.verdict(match["file"]) in {Verdict.SECRET, Verdict.HOLDER}
        return _hidden(match) if keeps else match[0]

    if "echo " in text or "printf " in text:
        text = _PIPED.sub(_if_piped, text)
        text = _FILED.sub(if_filed, _SUBSTITUTED.sub(_if_asked_for, text))
    if "<<" in text:
        text = _without_documents(_HERE.sub(_if_asked_for, text))
    return text


def _without_documents(text: str) -> str:
    """Return *text* without the lines between <<EOF and EOF of a command that reads a secret."""
    parts: list[str] = []
    done = 0
    for match in _DOCUMENT.finditer(text):
        if match.start() < done or not _asks(match):
            continue
        parts += (text[done : match.end()], f"{REDACTED}\n")
        end = re.compile(rf"(?m)^[ \t]{{0,20}}{match['end']}$").search(text, match.end())
        done = end.start() if end else len(text)
    return "".join((*parts, text[done:])) if parts else text


def _if_piped(match: re.Match[str]) -> str:
    return _hidden(match) if _READER.search(match["reader"]) else match[0]


def _if_asked_for(match: re.Match[str]) -> str:
    return _hidden(match) if _asks(match) else match[0]


def _asks(match: re.Match[str]) -> bool:
    """Tell whether the command before *match* reads a secret."""
    before = match.string[max(0, match.start() - _LONGEST_COMMAND) : match.start()]
    return _READER.search(_BETWEEN.split(before)[-1]) is not None


def _hidden(match: re.Match[str]) -> str:
    # A variable names the secret, and does not show it.
    kept = "$" in match["said"] or REDACTED in match["said"]
    return match[0] if kept else f"{match['before']}{REDACTED}"
