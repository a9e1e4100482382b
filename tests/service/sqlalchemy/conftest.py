from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine

from tests.service.sqlalchemy.machines import Base
from tests.support.postgres import Database
from tests.support.service import url


@pytest.fixture
def machines(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
