"""A name and its value in a text: `password=x`, `"token": "x"`, `the password is x`."""

import re
from typing import Final

from relay.service.redaction.names import Names, Verdict, normal
from relay.service.redaction.values import REDACTED, is_harmless_text, is_prose

HINTS: Final = (
    "pass", "pw", "secret", "token", "key", "cred", "auth", "cookie", "kubeconfig", "docker",
    "psk", "jwt", "bearer", "otp", "sessid", "basic", "kennwort", "community",
)  # fmt: skip
"""In lower case, a part of each name that is a secret."""

_NAME: Final = re.compile(
    # The colour of a terminal ends in a letter.
    r"(?:(?<![\w.-])|(?<=\x1b\[\dm)|(?<=\x1b\[\d\dm)|(?<=;\dm)|(?<=;\d\dm))"
    r"(?P<name>[A-Za-z_.][\w.-]{0,100}+)"
    r"(?P<separator>(?:[\"'`]|\\{1,9}[\"'])?\]?[ \t\xa0]{0,4}"
    r"(?P<sign>=>|:=|==?|->|:(?!//)|[\uff1a\uff1d\u2192])(?P<space>[ \t\xa0]{0,4}))"
)
_SPOKEN: Final = ":\uff1a\u2192"
"""Signs after which a sentence may go on; the others are colons of wide letters, and arrows."""
_QUOTED: Final = re.compile(r"(\\{0,9}[\"'`])(?P<inner>(?:(?!\1).)*)(?:\1|\Z)", re.DOTALL)
_DOUBLED: Final = re.compile(r"'(?P<inner>(?:[^']|'')*)(?:'|\Z)")
_GROUP: Final = re.compile(r"(?:map)?(?:\[[^\]]*(?:\]|\Z)|\{[^}]*(?:\}|\Z))")
_WORD: Final = re.compile(r"[^\s,;&\"'<>(){}\[\]\\|][^\s,;&\"'<>\\]*")
_CALL: Final = re.compile(r"[A-Za-z_][\w.]*\(")
_LINE: Final = re.compile(r"[^\n\r]+")
_HEADER_LINE: Final = re.compile(r"[^\n\r\"']+")
_WITH_SCHEME: Final = re.compile(
    r"(?:Digest|AWS4[\w-]{0,30}|OAuth|Signature|Hawk)[ \t][^\n\r]*|"
    r"(?:[A-Za-z][\w-]{0,30}[ \t]{1,4})?[^\s\"',\\\]}]+",
    re.IGNORECASE,
)
_BEFORE_YAML: Final = re.compile(r"[\s>|-]*[\"']?")
_LONGEST_LINE_START: Final = 100
_HEADERS: Final = {
    "cookie": _HEADER_LINE,
    "setcookie": _HEADER_LINE,
    "authorization": _WITH_SCHEME,
    "proxyauthorization": _WITH_SCHEME,
}
"""Headers whose values have blanks in them."""
_OBJECT: Final = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+")
_CLOSING: Final = ")]}.:,;"
_KEY_WORD: Final = re.compile(r"([A-Za-z]{2,16})[ ]$")
_PAIRED: Final = re.compile(r"keys?|secret|string|word", re.IGNORECASE)


def redact_assignments(text: str, names: Names) -> str:
    """Return *text* without the values of secret names."""
    parts: list[str] = []
    done = 0
    for match in _NAME.finditer(text):
        if match.start() < done:
            continue
        verdict = names.verdict(match["name"])
        if verdict is Verdict.INNOCENT and _PAIRED.fullmatch(match["name"]):
            verdict = _of_two_words(match, names)
        if verdict is Verdict.INNOCENT:
            continue
        found = _value(match, verdict)
        if found is not None:
            start, end = found
            parts += (text[done:start], REDACTED)
            done = end
    return "".join((*parts, text[done:])) if parts else text


def _of_two_words(match: re.Match[str], names: Names) -> Verdict:
    """Judge "API key", of which the pattern sees the second word."""
    before = _KEY_WORD.search(match.string, max(0, match.start() - 17), match.start())
    return names.verdict(f"{before[1]}_{match['name']}") if before else Verdict.INNOCENT


def _value(match: re.Match[str], verdict: Verdict) -> tuple[int, int] | None:
    """Return where the secret begins and ends; None where it is none."""
    text, start = match.string, match.end()
    spoken = match["sign"] in _SPOKEN
    if quoted := _QUOTED.match(text, start):
        inner = quoted["inner"]
        told = spoken and _is_sentence(inner, match)
        return None if told or is_harmless_text(inner.strip(), verdict) else quoted.span("inner")
    if group := _GROUP.match(text, start):
        return group.span() if len(group[0]) > 2 else None  # noqa: PLR2004 - its brackets
    if spoken and (pattern := _HEADERS.get(normal(match["name"]))):
        header = pattern.match(text, start)
        told = header is None or is_prose(_rest(text, start), Verdict.SECRET)
        return None if told or header is None else header.span()
    if spoken and match["space"] and _begins_a_line(match):
        line = _LINE.match(text, start)
        return line.span() if line and _is_shown(line[0], verdict) else None
    return _word(match, verdict, spoken=spoken)


def _word(match: re.Match[str], verdict: Verdict, *, spoken: bool) -> tuple[int, int] | None:
    """Return where the word ends that follows in the middle of a line, if it is a secret."""
    text, start = match.string, match.end()
    word = _WORD.match(text, start)
    if word is None or is_harmless_text(word[0].rstrip(_CLOSING), verdict):
        return None
    if spoken:
        return None if is_prose(_rest(text, start), verdict) else _trimmed(word)
    # klog and logfmt name the object: secret=bmc-worker-0 namespace=assisted
    named = verdict is Verdict.HOLDER and _OBJECT.fullmatch(word[0]) and "namespace" in text
    return None if named or _CALL.match(word[0]) else _trimmed(word)


def _is_shown(line: str, verdict: Verdict) -> bool:
    if verdict is Verdict.HOLDERS and line.split(maxsplit=1)[0].rstrip(_CLOSING).isdigit():
        return False
    if verdict is Verdict.HOLDER and "(namespace" in line:
        return False
    return not is_harmless_text(line.strip(), verdict) and not is_prose(line, verdict)


def _is_sentence(inner: str, match: re.Match[str]) -> bool:
    """Tell whether the quotes hold a sentence, as those of a JSON object never do by themselves."""
    quoted_name = match["separator"][:1] in {'"', "'", "\\"}
    return not quoted_name and " " in inner and is_prose(inner, Verdict.SECRET)


def _rest(text: str, start: int) -> str:
    return text[start : start + 200].partition("\n")[0]


def _trimmed(word: re.Match[str]) -> tuple[int, int]:
    """Leave out what closes a bracket that the value did not open, and the end of the sentence."""
    end = word.end()
    while end > word.start() + 1 and word.string[end - 1] in _CLOSING:
        end -= 1
    return word.start(), end


def _begins_a_line(match: re.Match[str]) -> bool:
    before = match.string[max(0, match.start() - _LONGEST_LINE_START) : match.start()]
    return _BEFORE_YAML.fullmatch(before.rpartition("\n")[2]) is not None
