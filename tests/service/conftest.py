import pytest

from relay import Outbox


@pytest.fixture
def outbox(service_outbox: Outbox) -> Outbox:
    """The service's own, which writes; elsewhere the name means the table and its connection."""
    return service_outbox
