"""Django's connections: rows share the fate of `atomic`, whatever the nesting."""

from collections.abc import Callable

import pytest

from tests.support.service import Stored

pytestmark = pytest.mark.processes
Run = Callable[[str], None]


def test_rows_follow_atomic_and_its_savepoints(run_django: Run, stored: Stored) -> None:
    run_django("""
with transaction.atomic():
    outbox.emit(connection, Told(cluster_id="0c1ab1e0-0000-4000-8000-000000000001"))
    try:
        with transaction.atomic():
            outbox.emit(connection, Message("Phantom", {}))
            raise KeyError
    except KeyError:
        pass
    outbox.emit(connections["default"], Message("Plain", {}), key="k", ordered=True)
try:
    with transaction.atomic():
        outbox.emit(connection, Message("Phantom", {}))
        raise KeyError
except KeyError:
    pass
""")
    assert stored.names() == ["Told", "Plain"]
    assert len(stored.events()) == 1


def test_outside_a_transaction_it_is_refused(run_django: Run, stored: Stored) -> None:
    run_django("""
emit = lambda: outbox.emit(connection, Message("Plain", {}))
refused(NoTransactionError, emit, "transaction.atomic()")
transaction.set_autocommit(False)
emit()
transaction.commit()
""")
    assert stored.names() == ["Plain"]


def test_an_error_event_outlives_the_transaction_that_failed(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
try:
    with transaction.atomic():
        outbox.emit(connection, Message("Phantom", {}))
        outbox.emit_now("default", Told(cluster_id="0c1ab1e0-0000-4000-8000-000000000001"))
        raise KeyError
except KeyError:
    pass
refused(TypeError, lambda: outbox.emit_now(connection, Message("Plain", {})), "of its own")
refused(TypeError, lambda: outbox.emit_now("elsewhere", Message("Plain", {})), "an engine")
""")
    assert stored.names() == ["Told"]


def test_no_payload_comes_into_the_log_of_statements(run_django: Run) -> None:
    run_django("""
from django.conf import settings
settings.DEBUG = True
with transaction.atomic(), outbox.captured() as messages:
    outbox.emit(connection, Message("Plain", {"text": "customer"}))
assert [message.name for message in messages] == ["Plain"]
assert "customer" not in str(connection.queries)
""")


def test_a_test_case_of_django_sees_what_would_be_published(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
import unittest
from django.test import TestCase

outbox.track(Cluster)


class Tests(TestCase):
    def test_it(self):
        with outbox.captured() as messages:
            Cluster.objects.create(name="north")
        self.assertEqual([message.payload["name"] for message in messages], ["north"])


result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(Tests))
assert result.wasSuccessful()
""")
    assert stored.names() == []


def test_without_tables_it_says_migrate(run_django: Run) -> None:
    run_django("""
def emit():
    with transaction.atomic():
        outbox.emit(connection, Message("Plain", {"note": "the customer's"}))

connection.cursor().execute("DROP TABLE outbox CASCADE")
refused(SchemaError, emit, "relay migrate", 'relation "outbox" does not exist')
""")
