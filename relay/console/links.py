from urllib.parse import quote, urlencode


def to(*parts: object, **query: object) -> str:
    """Return the path of a page within the console; what is None or empty is left out."""
    path = "/" + "/".join(quote(str(part), safe="") for part in parts)
    given = {name: str(value) for name, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path
