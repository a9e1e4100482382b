"""Input that a reader could take for something else: refused and named, on both faces."""

import gzip
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from starlette.testclient import TestClient

from tests.support.service import Stored

OWN, EXISTING = "/events", "/api/assisted-install/v2/events"
FACES = [OWN, EXISTING]

NUMBERS = ["1_0", "1.0", "%2B5", "+5", "%205", "5%20", "5%0A", "05", "1e1", "0x5", "true", "%D9%A5"]
NO_UTF_8 = ["%FF", "%C3%28", "%ED%A0%80", "a%C0%80"]
NO_TIMES = [
    "1700000000", "2026-11-24", "2026-11-24T12:00:00", "20261124T120000Z",
    "2026-11-24T12:00:00+01:00",
    "2026-11-24T12:00:00%E2%88%9201:00", "P1DT1H", "%D9%A2026-11-24T12:00:00Z", "",
]  # fmt: skip
NO_TRUTH = ["1", "yes", "t", "on", "%20true", "2", ""]

# Refused as 400 by both faces: readers could take them for different texts.
GARBLED = [
    *(f"{name}={value}" for name in ("message", "categories", "order") for value in NO_UTF_8),
    "%FF=1",
]
OF_BOTH = [
    *GARBLED,
    *(f"{name}={value}" for name in ("limit", "offset") for value in NUMBERS),
    "cluster_level=2",
    "cluster_id=0000-00000000-0000-0000-000000000001",
    "host_ids=%00",
    "message=%00",
    "severities=INFO",
    "order=asc",
]
OF_OWN = [
    *(f"{name}={value}" for name in ("since", "until") for value in NO_TIMES),
    *(f"cluster_level={value}" for value in NO_TRUTH),
    "cursor=%D9%A5.1",
    "cursor=1_0.1",
    "severities=info,",
    "names=%00",
    "categories=%00",
]

EVENT = {"name": "n", "severity": "info", "message": "m", "cluster_id": str(uuid.UUID(int=1))}


@pytest.mark.parametrize(("path", "queries"), [(OWN, OF_BOTH + OF_OWN), (EXISTING, OF_BOTH)])
def test_a_parameter_is_read_in_one_way_or_refused(
    admin: TestClient, path: str, queries: list[str]
) -> None:
    for query in queries:
        answer = admin.get(f"{path}?{query}")
        assert answer.status_code == (422 if path == OWN and query not in GARBLED else 400), query
        (fault,) = faults(answer.json())
        name = unquote(query.partition("=")[0]).replace("\ufffd", "?")
        assert fault.startswith(f"query.{name}"), query
        assert re.search(" (must|may|should) (be|have) ", fault), (query, fault)


# A name given twice, too deep, too long, or no UTF-8: readers differ, and it is 400 as well.
UNREADABLE = (
    b'"b": 1, "b": 2', b'"name": "o"}', b"[" * 5_000, b"1" * 5_000, b"\xff",
)  # fmt: skip
# As JSON texts, since Python's own encoder writes none of them.
FIELDS = {
    "props": [
        '{"a": NaN}', '{"a": 1e999}', '{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": "\\ud800"}',
        '{"a": {"b": 1, "b": 2}}', f'{{"a": {"[" * 300}{"]" * 300}}}', f'{{"a": {"1" * 5_000}}}',
        f'{{"a": {"[" * 5_000}{"]" * 5_000}}}', "[]", "1",
    ],
    "message": ['"\\u0000"', '"\\ud800"', "1", '["m"]'],
    "name": ['"\\u0000"', '"\\udfff"', "1"],
    "cluster_id": ["1", '"1"', '"\\u0000"', "{}"],
    "event_time": ["1700000000", "true", '"2026-11-24 12:00:00Z"', '"2026-11-24T12:00:00"'],
    "severity": ["true", '"INFO"', '["info"]'],
}  # fmt: skip


def bodies(*, props_are_text: bool) -> Iterator[tuple[str, bytes]]:
    """Bodies that are not valid, each with the part of it that is named."""
    for name, values in FIELDS.items():
        for value in values:
            text = json.dumps(value) if props_are_text and name == "props" else value
            whole = json.dumps(EVENT | {name: "@"}).replace('"@"', text)
            yield f"body.{name}", whole.encode()
    event = json.dumps(EVENT)
    yield "body.name", f'{event[:-1]}, "name": "o"}}'.encode()
    for body in (b"", b"{", b"[]", b"null", b"\xff", event.encode("utf-16"), event.encode() * 2):
        yield "body", body


@pytest.mark.parametrize("path", FACES)
def test_a_body_is_read_in_one_way_or_refused(admin: TestClient, stored: Stored, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    for named, body in bodies(props_are_text=path == EXISTING):
        answer = admin.post(path, content=body, headers=headers)
        read = not any(each in body for each in UNREADABLE)
        assert answer.status_code == (422 if path == OWN and read else 400), body[:200]
        (fault,) = faults(answer.json())
        assert fault.startswith("body"), fault
        # A number or a level too many is nowhere: the body is not read to its end.
        assert fault.startswith((f"{named}:", "body: ", "body.b: ")), (body[:200], fault)
    assert stored.events() == stored.outbox() == []


@pytest.mark.parametrize("path", FACES)
def test_a_body_says_truly_how_it_is_encoded(admin: TestClient, stored: Stored, path: str) -> None:
    plain = json.dumps(EVENT).encode()
    json_in = {"Content-Type": "application/json"}
    for encoding, body in (("gzip", plain), ("gzip", gzip.compress(plain)), ("br", plain)):
        headers = json_in | {"Content-Encoding": encoding}
        answer = admin.post(path, content=body, headers=headers)
        assert answer.status_code == 400
        assert faults(answer.json())[0].startswith("header.content-encoding: ")
    assert stored.events() == []
    headers = json_in | {"Content-Encoding": "Identity"}
    assert admin.post(path, content=plain, headers=headers).status_code == 201


def test_words_for_true_that_existing_clients_know(admin: TestClient) -> None:
    for value in ("true", "True", "TRUE", "1", "yes", "on"):
        query = f"cluster_level={value}&deleted_hosts={value}"
        assert admin.get(f"{EXISTING}?{query}").status_code == 200, value
    assert admin.get(f"{OWN}?cluster_level=True").status_code == 200


def test_a_body_without_its_type_is_told_of_it(admin: TestClient) -> None:
    for path in FACES:
        answer = admin.post(path, content=json.dumps(EVENT), headers={"Content-Type": "text/plain"})
        assert "Content-Type: application/json" in faults(answer.json())[0]


def faults(problem: dict[str, Any]) -> list[str]:
    """The faults of an answer, in either form."""
    if "reason" in problem:
        return str(problem["reason"]).split("; ")
    return [f"{fault['where']}: {fault['fault']}" for fault in problem["faults"]]
