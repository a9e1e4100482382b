"""Texts as PostgreSQL reads them, whatever is in them."""


def literal(value: str) -> str:
    """Return *value* as a text that means the same under every setting of the server."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    # With a backslash in it, only this form does.
    return f"E'{escaped}'" if "\\" in value else f"'{escaped}'"
