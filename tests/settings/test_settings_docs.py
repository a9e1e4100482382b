from deploy.settings_docs import PAGE, documents
from relay.settings import RelaySettings


def test_the_page_about_the_configuration_is_fresh() -> None:
    text = documents()[PAGE]
    assert PAGE.read_text() == text, "run `make settings-docs` and commit what it wrote"


def test_every_setting_is_there_with_its_default() -> None:
    text = PAGE.read_text()
    for name, field in RelaySettings.model_fields.items():
        assert f"| `{RelaySettings.variable(name)}` |" in text
        assert str(field.description) in text
