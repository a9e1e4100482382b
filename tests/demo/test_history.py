"""The judge: each kind of bad history must be caught, and named."""

from relay.demo.history import Read, Verdict, Written, bound, judge
from relay.demo.report import Report

WRITTEN = [Written(1, "a", "k"), Written(2, "b", "k"), Written(3, "c", "other")]


def read(*seqs_and_ids: tuple[int, str, str]) -> list[Read]:
    return [Read(*message) for message in seqs_and_ids]


GOOD = read((1, "a", "k"), (3, "c", "other"), (2, "b", "k"))


def only(verdict: Verdict, kind: str) -> tuple[object, ...]:
    """Return the examples of *kind*, which must be the only violation."""
    assert verdict.examples.keys() == {kind}
    assert getattr(verdict, kind) == len(verdict.examples[kind])
    return verdict.examples[kind]


def test_a_good_history() -> None:
    verdict = judge(WRITTEN, GOOD)
    assert verdict.clean
    assert (verdict.committed, verdict.delivered, verdict.examples) == (3, 3, {})


def test_a_lost_message() -> None:
    verdict = judge(WRITTEN, GOOD[:-1])
    assert only(verdict, "lost") == ("b",)
    assert (verdict.delivered, verdict.clean) == (2, False)


def test_a_phantom() -> None:
    verdict = judge(WRITTEN, [*GOOD, Read(4, "rolled back", "k")])
    assert only(verdict, "phantoms") == ("rolled back",)
    assert (verdict.delivered, verdict.clean) == (3, False)


def test_a_duplicate_is_counted_and_allowed() -> None:
    verdict = judge(WRITTEN, [*GOOD, GOOD[0]])
    assert only(verdict, "duplicates") == ("a",)
    assert verdict.clean


def test_each_copy_belongs_to_the_last_crash_before_it() -> None:
    copies = [Read(1, "a", "k", appended_ms=at) for at in (90, 110, 150, 250)]
    verdict = judge([WRITTEN[0]], copies, crashes_ms=[100, 200, 300])
    assert (verdict.duplicates, verdict.by_crash) == (3, (2, 1, 0))


def test_an_inversion_within_a_key() -> None:
    verdict = judge(WRITTEN, read((2, "b", "k"), (1, "a", "k"), (3, "c", "other")))
    assert only(verdict, "inversions") == ("a",)
    assert not verdict.clean


def test_a_late_copy_is_no_inversion() -> None:
    verdict = judge(WRITTEN, [*GOOD, GOOD[0]])
    assert verdict.inversions == 0


def test_rows_without_a_key_have_no_order() -> None:
    keyless = [Written(1, "a", None), Written(2, "b", None)]
    assert judge(keyless, [Read(2, "b", None), Read(1, "a", None)]).clean


def test_a_copy_with_other_bytes() -> None:
    first, copy = Read(1, "a", "k", content=b"1"), Read(1, "a", "k", content=b"2")
    verdict = judge([WRITTEN[0]], [first, first, copy])
    assert (verdict.duplicates, verdict.altered, verdict.clean) == (2, 1, False)
    assert verdict.examples["altered"] == ("a",)


def test_a_row_deleted_before_the_broker_had_it() -> None:
    message = Read(1, "a", "k", appended_ms=1000)
    assert judge([WRITTEN[0]], [message], {"a": 1000}).clean
    assert judge([WRITTEN[0]], [message], {"a": 1001}).clean
    assert only(judge([WRITTEN[0]], [message], {"a": 999}), "premature") == ("a",)


def test_all_is_counted_and_a_few_are_named() -> None:
    verdict = judge([Written(n, n, None) for n in range(100)], [])
    assert verdict.lost == 100
    assert len(verdict.examples["lost"]) == 5


def test_each_crash_may_repeat_one_lease() -> None:
    assert bound(3, 20_000) == 60_000


def test_the_report_of_the_demo() -> None:
    report = Report.of(judge(WRITTEN, [*GOOD, GOOD[0]]), rolled_back=2)
    assert report.clean
    assert report.as_dict() == {
        "committed": 3,
        "rolled_back": 2,
        "delivered": 3,
        "lost": 0,
        "phantoms": 0,
        "duplicates": 1,
        "out_of_order": 0,
    }
    assert not Report.of(judge(WRITTEN, []), rolled_back=0).clean
