"""The page /docs: everything that it shows comes from this process."""

import re

from starlette.testclient import TestClient


def test_the_page_and_its_files_come_from_the_wheel(admin: TestClient) -> None:
    page = admin.get("/docs")
    assert page.status_code == 200
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 3
    for path in files:
        assert path.startswith("/docs/")
        assert admin.get(path).status_code == 200
    assert "https://" not in page.text
    assert "SwaggerUIBundle" in admin.get("/docs/swagger-ui-bundle.js").text


def test_behind_a_path_everything_is_found(admin: TestClient) -> None:
    page = TestClient(admin.app, root_path="/outbox").get("/docs").text
    assert 'src="/outbox/docs/swagger-ui-bundle.js"' in page
    assert "/outbox/openapi.json" in page
