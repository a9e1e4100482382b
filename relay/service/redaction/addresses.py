"""User names with passwords in front of hosts, and signatures in the queries of URLs."""

import re
from typing import Final

from relay.service.redaction.names import Verdict
from relay.service.redaction.shape import Shape
from relay.service.redaction.values import REDACTED, is_harmless_text
from relay.service.redaction.words import listed

_OPEN_USERS: Final = listed(
    "mailto email e-mail mail user users from to cc bcc owner contact by sip sips acct xmpp "
    "author authors username sender recipient reply-to account login principal ssh git id upn "
    "group http https message-id maintainer assignee reviewer attendee invitee key name host"
)
"""Words before the colon of "user:alice@example.org", which is no password."""

_SHELL_SCHEMES: Final = listed("ssh sftp scp rsync git git+ssh svn+ssh nfs mailto file")
_PORT: Final = re.compile(r"\d{1,5}(?:[/?#]|$)")
_ENDPOINT: Final = re.compile(r"[\w.-]{1,100}:\d")
_PLAIN_USER: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,31}")
_HOST = r"(?=[A-Za-z0-9_\[/$-])"


def _in_url(match: re.Match[str]) -> str:
    """Redact the user and the password, or the token, of a URL."""
    scheme, user, password = match["scheme"], match["user"], match["password"]
    if password is None:
        harmless = scheme.lower() in _SHELL_SCHEMES or bool(_PLAIN_USER.fullmatch(user))
    else:
        # A port is no password: https://host:8080/path?mail=a@example.org
        harmless = bool(_PORT.match(password)) or is_harmless_text(password, Verdict.SECRET)
    return match[0] if harmless else f"{scheme}://{REDACTED}@"


def _without_scheme(match: re.Match[str]) -> str:
    """Redact the password of "user:password@host"."""
    user, password = match["user"], match["password"]
    if _PORT.match(password) or (user.lower() in _OPEN_USERS and not _is_mixed(match)):
        return match[0]
    if user.isdigit() or is_harmless_text(password, Verdict.SECRET):
        return match[0]
    return f"{match['slashes'] or ''}{user}:{REDACTED}@"


def _is_mixed(match: re.Match[str]) -> bool:
    """Tell whether the password is none of the names that mail addresses begin with."""
    password = match["password"]
    if match["slashes"] or re.search(r"[!$%^*@/]", password):
        return True
    if _ENDPOINT.match(match.string, match.end()):
        return True
    return bool(re.search("[0-9]", password)) and not password.islower() and password.isascii()


ADDRESS_SHAPES: Final = (
    Shape(
        ("@",),
        re.compile(
            r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{1,30})://"
            r"(?P<user>[^\s/:@?#\"'<>\\]{0,200}+)(?::(?P<password>[^\s\"'<>\\]{1,200}))?@" + _HOST
        ),
        _in_url,
    ),
    Shape(
        ("@",),
        re.compile(
            r"(?<![\w./@+-])(?P<slashes>//)?(?P<user>[\w.+-]{1,64}+):(?!//)"
            r"(?P<password>[^\s/\"'<>\\:,;(){}\[\]][^\s\"'<>\\,;(){}\[\]:]{2,127})"
            r"@(?!sha\d|md5:)(?=[A-Za-z\[]|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d)"
            r"(?![\w.@-]{1,80}\.(?:service|socket|timer|mount|target|scope|slice)\b)"
        ),
        _without_scheme,
    ),
    # scott/tiger@orcl, as Oracle's clients take it
    Shape(
        ("@",),
        re.compile(r"((?:sqlplus|sqlldr|expdp|impdp|:thin:)\s{0,4}[\w.-]{1,64}/)[^\s@]{1,128}@"),
        rf"\1{REDACTED}@",
    ),
    # Signed URLs: the signature lets anybody in who has it.
    Shape(
        ("=",),
        re.compile(r"(?i)((?<![a-z0-9])(?:x-(?:amz|goog)-)?sig(?:nature)?=)[\w%+/=.~-]{16,}"),
        rf"\1{REDACTED}",
    ),
)
