"""The demo's account: each kind of bad history must be counted."""

from relay.demo.report import Read, Written, compare

WRITTEN = [Written(1, "a", "k"), Written(2, "b", "k"), Written(3, "c", "other")]


def read(*seqs_and_ids: tuple[int, str, str]) -> list[Read]:
    return [Read(*message) for message in seqs_and_ids]


GOOD = read((1, "a", "k"), (3, "c", "other"), (2, "b", "k"))


def test_a_good_history() -> None:
    report = compare(WRITTEN, 2, GOOD)
    assert report.clean
    assert report.as_dict() == {
        "committed": 3,
        "rolled_back": 2,
        "delivered": 3,
        "lost": 0,
        "phantoms": 0,
        "duplicates": 0,
        "out_of_order": 0,
    }


def test_a_lost_message() -> None:
    report = compare(WRITTEN, 0, GOOD[:-1])
    assert (report.lost, report.delivered, report.clean) == (1, 2, False)


def test_a_phantom() -> None:
    report = compare(WRITTEN, 0, [*GOOD, Read(4, "rolled back", "k")])
    assert (report.phantoms, report.delivered, report.clean) == (1, 3, False)


def test_a_duplicate_is_counted_and_allowed() -> None:
    report = compare(WRITTEN, 0, [*GOOD, GOOD[0]])
    assert (report.duplicates, report.out_of_order, report.clean) == (1, 0, True)


def test_an_inversion_within_a_key() -> None:
    report = compare(WRITTEN, 0, read((2, "b", "k"), (1, "a", "k"), (3, "c", "other")))
    assert (report.out_of_order, report.clean) == (1, False)
