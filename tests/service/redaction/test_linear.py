"""Time grows with the length of a text, and not with its square, whatever the text is."""

import time

import pytest

from relay import Redactor

SHORT = 8_000
TIMES = 4
PARTS = [
    "password",
    "password=",
    'password="',
    "password: x\n",
    "password is ",
    "token: ",
    "'token'",
    '"auth": "',
    "api key ",
    "--token-",
    "-p x ",
    "mysql -p",
    "['-p', ",
    "a://",
    "a://b:",
    "a:b@",
    "a@",
    "eyJ-",
    "aGVsbG8gd29y",
    "0123456789abcdef",
    "%25",
    "&quot;",
    "$6$",
    "-----BEGIN PRIVATE KEY-----",
    "kind: Secret\ndata:\n",
    "secret:\n  ",
    "---\nkind: Secret\n",
    "name=token value=",
    "value=x name=",
    "<password>",
    '<a name="password">',
    "[parameters: ",
    "Key (token)=(",
    "INSERT INTO a(token) VALUES ",
    "row contains (",
    "Duplicate entry '",
    "Secret Data:map[string][]byte{",
    "('password', ",
    'host name "',
    "token={",
    "Basic YTpi",
    "Bearer a",
    "Cookie: ",
    '{"a":',
    "['",
    '\\"token\\": \\"',
    " ",
    "\n",
    "a.",
    "a-",
    "_",
    "user,password\n",
    '"user","password\n',
    "| password ",
    "| password |\n",
    "token\t",
    '",',
    "A  B",
    "TOKEN  ",
    "echo ",
    "echo x | cryptsetup ",
    "printf '%s' ",
    "<<<",
    "chpasswd <<A\n",
    "<(echo ",
    "echo x > a/",
    "echo x | tee ",
    "<<< x ",
    "sudo a ",
    "secret-set-value a ",
]


def seconds(redactor: Redactor, text: str) -> float:
    """Return this thread's processor time, which nothing else lengthens much."""
    times: list[float] = []
    for _ in range(2):
        started = time.thread_time()
        redactor.text(text)
        times.append(time.thread_time() - started)
    return min(times)


@pytest.mark.early
@pytest.mark.parametrize("part", PARTS)
def test_twice_the_text_takes_twice_the_time(part: str) -> None:
    redactor = Redactor()

    def text(length: int) -> str:
        # With a hint of everything no form is skipped; what follows is far from the end.
        return f"password -p key=@ {part * (length // len(part))}\nend\n"

    # A text that takes next to no time has no ratio. Four times the text tells 4 from 16, also on
    # a machine that is busy.
    once = max(seconds(redactor, text(SHORT)), 0.003)
    growth = (seconds(redactor, text(SHORT * TIMES)) / once) ** 0.5
    assert growth < 3
