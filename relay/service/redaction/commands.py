"""Command lines: secrets that follow an option, in a text or in a list of arguments."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from relay.service.redaction import piped
from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.values import REDACTED, is_harmless_text
from relay.service.redaction.words import listed

LOGINS: Final = listed(
    "podman docker nerdctl buildah skopeo oc kubectl helm crictl ctr oras regctl crane"
)
_SNMP: Final = listed(
    "snmpget snmpgetnext snmpwalk snmpset snmpbulkget snmpbulkwalk snmptrap snmpinform snmptable "
    "snmpdelta snmptest snmpstatus snmpdf snmpnetstat snmpusm snmpvacm encode_keychange"
)
PASSWORD_OPTIONS: Final[dict[str, frozenset[str]]] = {
    "-p": listed(
        "mysql mysqldump mysqladmin mariadb mariadb-dump sshpass ipmipower racadm 7z 7za mongo "
        "mongosh mongodump mongorestore fence_ipmilan fence_redfish fence_idrac fence_ilo hponcfg "
        "ilorest wsman rabbitmqadmin cqlsh useradd usermod evil-winrm nxc"
    ),
    "-P": listed("ipmitool zip unzip sqlcmd bcp mosquitto_pub mosquitto_sub isql rpcclient"),
    "--base64": listed("virsh"),
    "-N": listed("ssh-keygen"),
    "-k": listed("openssl"),
    "-A": _SNMP,
    "-X": _SNMP,
    "-c": _SNMP,
    "-a": listed("redis-cli"),
    "-w": listed("ldapsearch ldapadd ldapmodify ldapwhoami ldapdelete impala-shell kadmin"),
}
"""By option that takes a password, the commands that have it."""

USER_OPTIONS: Final = frozenset({"-u", "-U", "--user", "--username", "--login-user", "-l", "-L"})
CREDENTIAL_OPTIONS: Final = listed(
    "-u -U --user --proxy-user --creds --src-creds --dest-creds --credentials --basic-auth --auth"
)
"""They take `user:password` where it holds a colon (smbclient: a percent sign)."""

OTHER_OWNERS: Final = listed(
    "mkdir ssh scp rsync cp mv tar grep egrep fgrep ps kill nmap iptables ip6tables nft psql "
    "pg_dump ls df ln curl wget nc ncat netstat ss lsof top install test read unshare perl "
    "python python3 node make ansible pytest go cargo npm pip git systemctl journalctl dd lsblk "
    "sort"
)
"""Commands whose -p or -P is something else."""

HINTS: Final = (" -", "pass", *piped.HINTS)

_SEPARATORS: Final = re.compile(r"[|;&\n`]|\$\(")
_TOKEN: Final = re.compile(r"(?:[^\s\"']|\"[^\"\n]*\"|'[^'\n]*')+")
_COMMAND: Final = re.compile(r"(?:.*/)?([\w.-]+)")
_NUMERIC: Final = re.compile(r"[\d.:/,-]+")
_NO_PASSWORDS: Final = listed(
    "tcp udp icmp all emerg alert crit err error warning notice info debug yes no"
)
"""Protocols and priorities that -p takes elsewhere."""
_PASS_PHRASES: Final = frozenset({"-passin", "-passout", "-pass"})
_COOKIES: Final = frozenset({"-b", "--cookie"})
_NONE: Final[frozenset[str]] = frozenset()
_SHORT: Final = frozenset({"-p", "-P"})
_LITERAL: Final = re.compile(r"([\w.-]+=)(.+)", re.DOTALL)
_LIST: Final = re.compile(r"\[(?:'[^'\n]*'|\"[^\"\n]*\")(?:,\s?(?:'[^'\n]*'|\"[^\"\n]*\"))+\]")
_ITEM: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_CHPASSWD: Final = re.compile(
    r"([\w.-]{1,64}:)[^\s\"']{1,200}(?=[\"']?\s{0,4}\|\s{0,4}(?:\S{1,40}\s)?chpasswd)"
)
_SET_VALUE: Final = re.compile(
    r"(\bsecret-set-value\s{1,4}(?:--secret\s{1,4})?+\w[\w-]{0,63}\s{1,4}(?:--base64\s{1,4})?)"
    r"[A-Za-z0-9+/]{4,500}={0,2}(?=\s|$)"
)
_HTPASSWD: Final = re.compile(
    r"(\bhtpasswd\s(?:\s{0,4}-\w{1,10}\s){0,4}\s{0,4}-\w{0,8}b\w{0,8}\s(?:[^\s-]\S{0,200}\s{1,4}){1,2})\S{1,200}"
)


def redact_command_lines(text: str, names: Names) -> str:
    """Return *text* without what options of commands make a secret of."""
    text = _CHPASSWD.sub(rf"\1{REDACTED}", text)
    text = piped.redact_piped(text, names)
    text = _SET_VALUE.sub(rf"\1{REDACTED}", text)
    text = _HTPASSWD.sub(rf"\1{REDACTED}", text)
    text = _LIST.sub(lambda match: _redacted_list(match[0], names), text)
    parts: list[str] = []
    done = 0
    for begin, end in _commands(text):
        tokens = [*_TOKEN.finditer(text, begin, end)]
        hidden = secrets_of([token[0] for token in tokens], names)
        for index, (start, replacement) in sorted(hidden.items()):
            token = tokens[index]
            parts += (text[done : token.start() + start], replacement)
            done = token.end()
    return "".join((*parts, text[done:])) if parts else text


def _redacted_list(text: str, names: Names) -> str:
    """Redact `['ipmitool', '-P', 'x']`, as Python and JSON write the arguments of a command."""
    items = [*_ITEM.finditer(text)]
    hidden = secrets_of([item[1] or item[2] or "" for item in items], names)
    for index, (start, replacement) in sorted(hidden.items(), reverse=True):
        begin, end = items[index].start() + 1 + start, items[index].end() - 1
        text = text[:begin] + replacement + text[end:]
    return text


def redact_arguments(arguments: Sequence[str], names: Names) -> list[str]:
    """Return the arguments of one command without its secrets."""
    shown = list(arguments)
    for index, (start, replacement) in secrets_of(shown, names).items():
        shown[index] = shown[index][:start] + replacement
    return shown


def secrets_of(tokens: Sequence[str], names: Names) -> dict[int, tuple[int, str]]:
    """Return by index of a token from which of its characters on to replace it, and by what."""
    found: dict[int, tuple[int, str]] = {}
    if not any(token.startswith("-") for token in tokens):
        return found
    commands = _names_of_commands(tokens)
    has_user = any(token.split("=")[0] in USER_OPTIONS or token[:2] == "-u" for token in tokens)
    for index, token in enumerate(tokens):
        if not token.startswith("-"):
            continue
        option, equals, attached = token.partition("=")
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        place = (index, len(option) + 1) if equals else (index + 1, 0)
        value = attached if equals else following
        if kept := _hidden(option, value, commands, names, has_user=has_user):
            found[place[0]] = (place[1] + kept[0], kept[1])
        elif not equals and (kept := _attached(token, commands)):
            found[index] = kept
    return found


def _commands(text: str) -> list[tuple[int, int]]:
    """Return where the commands of a text that have options begin and end."""
    edges = [0, *(match.start() for match in _SEPARATORS.finditer(text)), len(text)]
    spans = pairwise(edges)
    return [(begin, end) for begin, end in spans if text.find("-", begin, end) >= 0]


def _names_of_commands(tokens: Sequence[str]) -> set[str]:
    matches = (_COMMAND.fullmatch(token) for token in tokens[:12] if not token.startswith("-"))
    return {match[1] for match in matches if match}


def _hidden(
    option: str, value: str, commands: set[str], names: Names, *, has_user: bool
) -> tuple[int, str] | None:
    """Return from which character on *value* is a secret of *option*, and what to show."""
    bare = value.strip("\"'")
    if not bare or (value.startswith("-") and option not in _SHORT) or value.startswith("<"):
        return None
    if option == "--secret" and "virsh" in commands:
        # Its id.
        return None
    before = _before_secret(option, bare, commands)
    if before is not None:
        return value.index(bare) + before, REDACTED
    hides = _takes_password(option, bare, commands, names, has_user=has_user)
    return (0, REDACTED) if hides else None


def _before_secret(option: str, value: str, commands: set[str]) -> int | None:
    """Return how much of *value* comes before its secret, where a part of it is one."""
    if option == "--from-literal":
        literal = _LITERAL.match(value)
        return len(literal[1]) if literal else None
    if option in _PASS_PHRASES:
        return len("pass:") if value.startswith("pass:") else None
    if option in _COOKIES and "curl" in commands and "=" in value:
        return 0
    return (_colon(value, commands) or None) if option in CREDENTIAL_OPTIONS else None


def _takes_password(
    option: str, value: str, commands: set[str], names: Names, *, has_user: bool
) -> bool:
    if REDACTED in value or is_harmless_text(value, Verdict.SECRET):
        return False
    if commands & PASSWORD_OPTIONS.get(option, _NONE):
        return True
    if option.startswith("--") or len(option) > 2:  # noqa: PLR2004 - "-p" is short
        verdict = names.verdict(option.lstrip("-"))
        named = verdict is not Verdict.INNOCENT and not is_harmless_text(value, verdict)
        return named and not value.startswith("-")
    if option not in _SHORT or value in _NO_PASSWORDS or _NUMERIC.fullmatch(value):
        return False
    if value.startswith("/"):
        return False
    logs_in = "login" in commands and commands & LOGINS
    return bool(logs_in) or (has_user and not commands & OTHER_OWNERS)


def _attached(token: str, commands: set[str]) -> tuple[int, str] | None:
    """Redact `-pPASSWORD` and `-uUSER:PASSWORD`."""
    option = token[:2]
    if len(token) > len(option) and commands & PASSWORD_OPTIONS.get(option, _NONE):
        harmless = is_harmless_text(token[len(option) :].strip("\"'"), Verdict.SECRET)
        return None if harmless else (len(option), REDACTED)
    if token.startswith("-u") and commands & {"curl", "wget", "http"} and ":" in token:
        return token.index(":") + 1, REDACTED
    return None


def _colon(value: str, commands: set[str]) -> int:
    """Return the place after the colon of `user:password`, 0 where there is none."""
    sign = "%" if "smbclient" in commands or "rpcclient" in commands else ":"
    user, found, password = value.partition(sign)
    if user.startswith("+"):
        # A format of time: date -u +%H:%M
        return 0
    if not found or not password or _NUMERIC.fullmatch(value) or user == password:
        return 0
    if is_harmless_text(password, Verdict.SECRET) or password.startswith(("//", "$")):
        return 0
    return len(user) + 1
