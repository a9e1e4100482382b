"""The former service's own events, copied as docs/moving-from-the-former-service.md has it."""

import re
import uuid
from textwrap import dedent

from starlette.testclient import TestClient

from tests.acceptance.test_untouched_service import EVENT, TABLES
from tests.support.postgres import Database
from tests.support.repository import ROOT

PAGE = ROOT / "docs" / "moving-from-the-former-service.md"


def test_the_former_table_is_copied_as_the_page_says(admin: TestClient, database: Database) -> None:
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    cluster, host = str(uuid.uuid4()), str(uuid.uuid4())
    with database.connect() as service:
        service.execute(TABLES)
        for props in ('{"a": 1}', "", None):
            service.execute(EVENT, (cluster, host, f"props {props}", props))
        service.execute(EVENT, ("", "", "of no cluster", "{}"))
        service.execute("UPDATE events SET infra_env_id = '', category = NULL WHERE props IS NULL")
        service.execute(EVENT, (cluster, host, "deleted", "{}"))
        service.execute("UPDATE events SET deleted_at = now() WHERE message = 'deleted'")
        service.execute(dedent(found[1]).replace("relay.", "").encode())
    listed = admin.get("/api/assisted-install/v2/events").json()
    assert [(e["message"], e["props"], e["cluster_id"], e["host_id"]) for e in listed] == [
        ('props {"a": 1}', '{"a": 1}', cluster, host),
        ("props ", "", cluster, host),
        ("props None", "", cluster, host),
        ("of no cluster", "", None, None),
    ]
