"""Secrets that a sentence, a markup or a pair of fields in a text tells."""

import re
from typing import Final

from relay.service.redaction.encodings import decoded
from relay.service.redaction.names import Names, Verdict
from relay.service.redaction.shape import Shape
from relay.service.redaction.values import REDACTED, is_harmless_text, is_prose

_SHORTEST_PASSWORD: Final = 6
_SHORTEST_TOKEN: Final = 10

_SPOKEN: Final = re.compile(
    r"(?P<before>(?<![\w-])(?P<name>password|passwd|passphrase|passcode|pwd|pass|token|secret|"
    r"api key|access key|requirepass|masterauth|rootpw|identified[ ]by)"
    r"(?:[ ]--(?:plaintext|iscrypted))?(?:[ ](?:for|of)(?:[ ][\w.@-]{1,40}){1,3}?)?"
    r"(?:[ ](?:changed|set|reset|updated)(?=[ ]to))?"
    r"(?:[ ](?:is|was|to|as)(?=[ :]))?[ ]?:?[ \t\xa0]{1,2})"
    r"(?:(?P<quote>[\"'`])(?P<inner>[^\"'`\n]{1,200})[\"'`]|(?P<plain>[^\s\"'`<>,;]{6,200}))",
    re.IGNORECASE,
)
# name: DB_PASSWORD, value: x, in whatever notation, and the other way round
_PAIR: Final = re.compile(
    r"(?<![\w-])(?:name|key|header|variable|id)[\"']?[ ]{0,2}[:=][ ]{0,2}"
    r"[\"']?(?P<name>[\w.-]{2,80})"
    r"[\"']?,?[\s-]{1,40}[\"']?(?P<label>value)[\"']?[ ]{0,2}[:=][ ]{0,2}"
    r"(?:\"(?P<a>[^\"\n]*)\"|'(?P<b>[^'\n]*)'|(?P<c>[^\s\"',;}]+))",
    re.IGNORECASE,
)
_PAIR_REVERSED: Final = re.compile(
    r"(?<![\w-])value[\"']?[ ]{0,2}[:=][ ]{0,2}"
    r"(?:\"(?P<a>[^\"\n]{0,500})\"|'(?P<b>[^'\n]{0,500})'|(?P<c>[^\s\"',;}]{1,500}))"
    r",?[\s-]{1,40}[\"']?(?:name|key)[\"']?[ ]{0,2}[:=][ ]{0,2}[\"']?(?P<name>[\w.-]{2,80})",
    re.IGNORECASE,
)
# ('password', 'x'), as Python writes a pair
_TUPLE: Final = re.compile(
    r"\([\"'](?P<name>[\w.-]{2,80})[\"'],[ ]?(?:\"(?P<a>[^\"\n]*)\"|'(?P<b>[^'\n]*)')\)"
)
_MARKUP: Final = re.compile(
    r"<(?P<tag>[\w.:-]{1,80})"
    r"(?:\s[^<>]{0,200}?(?:name|key)=\"(?P<name>[\w.-]{1,80})\"[^<>]{0,200}|\s[^<>]{0,400})?>"
    r"(?P<a>[^<>]{1,4000})</"
)
# A part of a form as browsers send it.
_PART: Final = re.compile(
    r"form-data;[ ]?name=\"?(?P<name>[\w.-]{1,80})\"?(?:\r?\n|\\r\\n){2}(?P<a>[^\r\n\\]{1,4000})"
)


def _if_credentials(match: re.Match[str]) -> str:
    """Redact "basic dXNlcjpwYXNz", which holds a colon once decoded, not "basic installation"."""
    inside = decoded(match[2]) or ""
    return f"{match[1]}{REDACTED}" if ":" in inside else match[0]


def _if_random(match: re.Match[str]) -> str:
    """Redact "the password is aB3…" and "password 'a b'", not "the password is required"."""
    is_password = match["name"].lower() not in {"token", "secret", "api key", "access key"}
    word = match["inner"] or match["plain"].rstrip(".,;:)")
    if is_harmless_text(word, Verdict.SECRET):
        return match[0]
    if match["inner"]:
        secret = is_password or _is_random(word, _SHORTEST_TOKEN)
    elif is_password:
        secret = _is_random(word, _SHORTEST_PASSWORD)
    else:
        # "secret bmc-worker-0" is the name of one.
        secret = _is_random(word, _SHORTEST_TOKEN) and not re.search(r"[-/:.=@]", word)
    quote = match["quote"] or ""
    return f"{match['before']}{quote}{REDACTED}{quote}" if secret else match[0]


def _is_random(word: str, shortest: int) -> bool:
    """Tell whether *word* is no word, number or path."""
    if len(word) < shortest or word.startswith(("/", "-", "http", "${")) or "(" in word:
        return False
    return any(map(str.isalpha, word)) and any(map(str.isdigit, word))


def _if_community(match: re.Match[str]) -> str:
    """Redact "rocommunity aB3", a line of snmpd.conf, not "rocommunity is missing"."""
    told = is_prose(match[2], Verdict.SECRET) or is_harmless_text(match[2], Verdict.SECRET)
    return match[0] if told else f"{match[1]}{REDACTED}"


SENTENCE_SHAPES: Final = (
    Shape(
        ("community", "com2sec"),
        re.compile(
            r"(?im)(^[ \t]{0,8}(?:(?:ro|rw)community6?|trapcommunity|snmp-server[ ]community|"
            r"com2sec6?(?:[ \t]{1,8}-Cn[ \t]{1,8}\S{1,80})?[ \t]{1,8}\S{1,80}[ \t]{1,8}\S{1,80})"
            r"[ \t]{1,8})([^\s:=]\S{0,200})"
        ),
        _if_community,
    ),
    Shape(
        ("bearer",),
        re.compile(r"(?i)\b(bearer\s{1,4})(?=[a-z._~+/-]*[0-9])[a-z0-9._~+/-]{8,}=*"),
        rf"\1{REDACTED}",
    ),
    Shape(
        ("basic",), re.compile(r"(?i)\b(basic\s{1,4})([a-z0-9+/]{8,2000}={0,2})"), _if_credentials
    ),
    Shape(("pass", "token", "secret", "key", "pw", "identified"), _SPOKEN, _if_random),
    # A line of ~/.pgpass: host, port, database, user, password.
    Shape(
        (":5432:", ":6432:", ":*:"),
        re.compile(
            r"(?<![\w.*-])([\w.*-]{1,255}:(?:5432|6432|\*):[^\s:]{1,63}:[^\s:]{1,63}:)[^\s:]+"
        ),
        rf"\1{REDACTED}",
    ),
)


def redact_pairs(text: str, names: Names) -> str:
    """Return *text* without values whose names stand in a field, tag or attribute beside them."""

    def replaced(match: re.Match[str]) -> str:
        groups = match.groupdict()
        verdict = names.verdict(groups["name"] or groups.get("tag") or "")
        group = next((name for name in "abc" if groups.get(name)), None)
        if group is None or verdict is Verdict.INNOCENT or is_harmless_text(match[group], verdict):
            return match[0]
        start, end = (place - match.start() for place in match.span(group))
        return match[0][:start] + REDACTED + match[0][end:]

    if "alue" in text or "ALUE" in text:
        text = _PAIR_REVERSED.sub(replaced, _PAIR.sub(replaced, text))
    text = _TUPLE.sub(replaced, text) if "(" in text else text
    text = _PART.sub(replaced, text) if "form-data" in text else text
    return _MARKUP.sub(replaced, text) if "</" in text else text
