"""Secrets that commands read from what comes in: the samples have them, but for long ones."""

from relay import Redactor


def test_a_document_is_hidden_to_its_end_however_long() -> None:
    lines = "plain words\n" * 300
    text = f"chpasswd <<EOF\n{lines}root:hush\nEOF\ndone"
    shown = Redactor().text(text)
    assert "plain words" not in shown
    assert "hush" not in shown
    assert shown.endswith("EOF\ndone")
    assert "plain words" not in Redactor().text(text.removesuffix("EOF\ndone"))
