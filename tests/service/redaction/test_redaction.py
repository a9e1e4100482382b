"""Nothing that is a secret, by its name or by its shape, comes out of the redactor."""

import json
import re
from base64 import b64decode, b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relay import Redactor
from relay.errors import ConfigurationError, PayloadError

SECRET = "hunter2-hunter2-hunter2"
BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{16,}")
redactor = Redactor()

SECRET_NAMES = [
    "password",
    "db_password",
    "DBPassword",
    "passwd",
    "token",
    "access-token",
    "secret",
    "pull_secret",
    "pullSecret",
    "PULL-SECRET",
    "private_key",
    "privateKey",
    "ssh.private.key",
    "Authorization",
    "X-Secret-Key",
    "api_key",
    "apiKey",
    "API Key",
    "credentials",
    "aws_secret_access_key",
    "kubeconfig",
    "auth",
    "pwd",
    "client-key-data",
    "tls.key",
    "pre_shared_key",
]

SECRET_TEXTS = {
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
    "private key that was cut off": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}",
    "PGP key": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{SECRET}",
    "URL": f"postgresql://relay:{SECRET}@db.example/outbox",
    "URL with a token for a user": f"https://{SECRET}@git.example/repository",
    "header": f"Authorization: Bearer {SECRET}",
    "basic": f"curl -H 'Authorization: Basic {SECRET}' https://example",
    "bearer": f"sent bearer {SECRET} to the server",
    "web token": f"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0{SECRET}.{SECRET}",
    "docker config": json.dumps({"auths": {"quay.io": {"auth": SECRET}}}),
    "docker config that was cut off": '{"auths": {"quay.io": {"auth": "' + SECRET,
    "docker config in words": f'cannot use {{"quay.io": {{"auth": "{SECRET}"}}}} here',
    "JSON in JSON": json.dumps({"a": json.dumps({"b": json.dumps({"token": SECRET})})}),
    "JSON in JSON that was cut off": json.dumps({"a": json.dumps({"token": SECRET})})[:-2],
    "connection string": f"host=db user=relay password={SECRET} dbname=outbox",
    "quoted": f"password='{SECRET} {SECRET}' dbname=outbox",
    "query": f"https://example/?access_token={SECRET}&x=1",
    "YAML": f"apiVersion: v1\npullSecret: '{SECRET}'\nsshKey: public\n",
    "YAML list": f"users:\n  - password: {SECRET}\n",
    "AWS": "AKIA" + "HUNTER2HUNTER2AB",
    "GitHub": "ghp_" + "hunter2" * 6,
    "GitLab": "glpat-" + "hunter2" * 4,
    "Slack": "xoxb-" + SECRET,
    "OpenShift": "sha256~" + SECRET * 2,
    "Stripe": "sk_live_" + "hunter2" * 4,
    "hash": "$6$salt$" + "hunter2" * 4,
    "command line": f"podman login --password {SECRET} quay.io",
    "percent": f"dsn=postgresql%3A%2F%2Frelay%3A{SECRET}%40db",
    "percent twice": f"q=password%253D{SECRET}",
}


def leaks(value: object) -> bool:
    """Tell whether the secret is in there, also under base64."""
    text = json.dumps(value, default=str)
    while "hunter2" not in text.lower():
        whole = [run[: len(run) // 4 * 4] for run in BASE64_RUN.findall(text)]
        inside = [b64decode(run).decode("latin-1") for run in whole]
        if not inside:
            return False
        text = "\n".join(inside)
    return True


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_by_name(name: str) -> None:
    assert redactor.redact({name: SECRET}) == {name: "[redacted]"}
    assert redactor.redact({"deep": [{name: {"inner": [SECRET]}}]}) == {
        "deep": [{name: "[redacted]"}]
    }


@pytest.mark.parametrize("text", SECRET_TEXTS.values(), ids=SECRET_TEXTS)
def test_by_shape(text: str) -> None:
    assert leaks(text)
    assert not leaks(redactor.text(text))
    assert not leaks(redactor.redact({"info": [text]}))
    assert not leaks(redactor.redact({text: 1}))


@pytest.mark.parametrize(
    "text",
    [
        "Host h: updated status from known to installing",
        "Failed to parse the pull secret: invalid character at 3",
        "https://example.com:8080/path?x=1",
        "write to admin@example.com",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
        "authentication failed",
        '{"a": [1, 2.50,  "x"]}',
        "",
        "9b2f8a5e-7d0d-4cbd-9c33-0e6e2d9f3b11",
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert redactor.redact({"info": text}) == {"info": text}
    assert redactor.text(text) == text


def test_switches_and_empty_values_are_no_secrets() -> None:
    harmless: dict[str, object] = {
        "pull_secret_set": True,
        "token": None,
        "password": "",
        "credentials": [],
    }
    assert redactor.redact(harmless) == harmless
    assert redactor.redact({"password": 0, "token": 1234}) == {
        "password": "[redacted]",
        "token": "[redacted]",
    }


def test_the_environment_of_a_container() -> None:
    environment = [{"name": "DB_PASSWORD", "value": SECRET}, {"name": "HOME", "value": "/root"}]
    assert redactor.redact({"env": environment}) == {
        "env": [
            {"name": "DB_PASSWORD", "value": "[redacted]"},
            {"name": "HOME", "value": "/root"},
        ]
    }


def test_pairs_and_options_are_names_too() -> None:
    headers = [["Authorization", SECRET], ["Accept", "*/*"]]
    assert redactor.redact({"headers": headers}) == {
        "headers": [["Authorization", "[redacted]"], ["Accept", "*/*"]]
    }
    command = ("login", "--password", SECRET, "--verbose", "quay.io")
    assert redactor.redact({"command": command}) == {
        "command": ["login", "--password", "[redacted]", "--verbose", "quay.io"]
    }
    kinds = ["secret", "configmap"]
    assert redactor.redact({"kinds": kinds}) == {"kinds": kinds}


@pytest.mark.parametrize("text", SECRET_TEXTS.values(), ids=SECRET_TEXTS)
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode, encodebytes])
def test_encoded(text: str, encode: Callable[[bytes], bytes]) -> None:
    hidden = encode(f"{text}\n# \N{SNOWMAN}".encode()).decode()
    twice = b64encode(hidden.encode()).decode()
    for shown in (hidden, twice, f"data:text/plain;base64,{hidden}", json.dumps({"a": hidden})):
        assert not leaks(redactor.redact({"info": shown}))


def test_what_is_encoded_and_harmless_stays_as_it_is() -> None:
    harmless = {
        "certificate": b64encode(b"-----BEGIN CERTIFICATE-----\nMIIB").decode(),
        "digest": "sha256:" + "0123456789abcdef" * 4,
        "path": "/var/lib/containers/storage/overlay/images/layers",
        "url": "https://example.com/a%20b?x=%7B1%7D",
        "share": "100%25 of the basic installation",
    }
    assert redactor.redact(harmless) == harmless


def test_the_environment_adds_names_and_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_REDACT_NAMES", '["bmc_pin"]')
    monkeypatch.setenv("RELAY_REDACT_PATTERNS", r'["\\d{4}-\\d{4}"]')
    monkeypatch.setenv("RELAY_REDACT_KEEP", '["token_count"]')
    own = Redactor.from_environment()
    assert own.redact({"bmcPin": "1", "card": "see 1234-5678", "token_count": 7}) == {
        "bmcPin": "[redacted]",
        "card": "see [redacted]",
        "token_count": 7,
    }


def test_what_the_environment_says_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_REDACT_NAMES", "bmc_pin")
    monkeypatch.setenv("RELAY_REDACT_PATTERNS", '["("]')
    with pytest.raises(ConfigurationError) as error:
        Redactor.from_environment()
    assert "RELAY_REDACT_NAMES" in str(error.value)
    assert "RELAY_REDACT_PATTERNS" in str(error.value)


def test_pydantic_secrets() -> None:
    assert redactor.redact({"x": SecretStr(SECRET)}) == {"x": "[redacted]"}


def test_the_rest_of_a_text_stays() -> None:
    assert redactor.text(SECRET_TEXTS["URL"]) == "postgresql://[redacted]@db.example/outbox"
    assert redactor.text(SECRET_TEXTS["connection string"]) == (
        "host=db user=relay password=[redacted] dbname=outbox"
    )
    assert redactor.text(SECRET_TEXTS["YAML"]) == (
        "apiVersion: v1\npullSecret: '[redacted]'\nsshKey: public\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kind: Secret\ndata: {a: eA==}\ntype: x\n", "kind: Secret\ndata: [redacted]\ntype: x\n"),
        (
            "kind: Secret\ndata:\n  a: eA==\ntype: x\n",
            "kind: Secret\ndata:\n  a: [redacted]\ntype: x\n",
        ),
        ('name: DB_PASSWORD, value: ""', 'name: DB_PASSWORD, value: ""'),
        ("the password is https://example.com/a1", "the password is https://example.com/a1"),
        ("user;password\r\nbob; a1 \r\n\r\nx", "user;password\r\nbob; [redacted] \r\n\r\nx"),
        ('a,token,b\n"x,y","1,""2",z\nc,d\n', 'a,token,b\n"x,y","[redacted]",z\nc,d\n'),
        (
            "| a | password |\n|--|--|\n| b |  c1 |",
            "| a | password |\n|--|--|\n| b |  [redacted] |",
        ),
        ("a,b\nc,password\nd,e", "a,b\nc,password\nd,[redacted]"),
        ("echo -n a1 | su - x; echo a1", "echo -n [redacted] | su - x; echo a1"),
        ("chpasswd <<E\na:b1\nE\nls", "chpasswd <<E\n[redacted]\nE\nls"),
        ("kinit a <<<'b1' && ls <<< b1", "kinit a <<<[redacted] && ls <<< b1"),
        ("echo a1 > /x/token; echo b1 > y", "echo [redacted] > /x/token; echo b1 > y"),
    ],
)
def test_only_the_secret_is_replaced(text: str, shown: str) -> None:
    assert redactor.text(text) == shown


def test_the_object_itself_is_not_changed() -> None:
    value = {"a": [{"password": SECRET}]}
    redactor.redact(value)
    assert value == {"a": [{"password": SECRET}]}


def test_names_and_patterns_of_ones_own() -> None:
    own = Redactor(names=["bmc_pin"], patterns=[r"\d{4}-\d{4}"], keep=["token_count"])
    given = {"BMC-PIN": "1", "card": "see 1234-5678", "token_count": 7, "token": "x"}
    assert own.redact(given) == {
        "BMC-PIN": "[redacted]",
        "card": "see [redacted]",
        "token_count": 7,
        "token": "[redacted]",
    }
    assert own.redact({"text": json.dumps({"bmcPin": "1"})}) == {
        "text": json.dumps({"bmcPin": "[redacted]"})
    }


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: list[Any] = []
    for _ in range(200):
        value = [value]
    with pytest.raises(PayloadError, match="levels"):
        redactor.redact(value)


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False)
)
keys = st.text(alphabet="abcxyz_-", min_size=1, max_size=8)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)


@st.composite
def hidden(draw: st.DrawFn) -> dict[str, object]:
    """An object with a secret somewhere inside: under a name, in a text, or in JSON in a text."""
    value: object = draw(
        st.sampled_from(sorted(SECRET_TEXTS.values()))
        | st.sampled_from(SECRET_NAMES).map(lambda name: {name: SECRET})
        | st.tuples(st.sampled_from(SECRET_NAMES), trees).map(
            lambda pair: {pair[0]: {"inner": pair[1], "value": SECRET}}
        )
    )
    for wrapping in draw(
        st.lists(st.sampled_from(["list", "dict", "pairs", "json", "base64"]), max_size=6)
    ):
        around = draw(trees)
        match wrapping:
            case "list":
                value = [around, value, around]
            case "dict":
                value = {"around": around, draw(keys): value}
            case "pairs":
                value = [(draw(keys), value), ("around", around)]
            case "json":
                value = json.dumps([value, around])
            case _ if isinstance(value, str) and len(value) > 18:
                value = b64encode(value.encode()).decode()
            case _:
                value = {"value": value}
    return {"around": draw(trees), "value": value}


def test_what_is_encoded_again_and_again_is_taken_for_a_secret() -> None:
    value = "password=" + SECRET
    for _ in range(12):
        value = b64encode(value.encode()).decode()
        assert not leaks(redactor.redact({"value": value}))


@pytest.mark.early
@given(hidden())
def test_a_secret_at_any_depth_is_found(value: dict[str, object]) -> None:
    assert leaks(value)
    assert not leaks(redactor.redact(value))


@given(hidden())
def test_redacting_twice_changes_nothing_more(value: dict[str, object]) -> None:
    once = redactor.redact(value)
    assert redactor.redact(once) == once


@pytest.mark.early
@given(st.dictionaries(keys, trees))
def test_an_object_without_secrets_stays_as_it_is(value: dict[str, object]) -> None:
    assert redactor.redact(value) == value
