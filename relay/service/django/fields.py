"""Fields of models, judged before the first row: is every value of them known to JSON?"""

from typing import Any, Final

from django.conf import settings
from django.db import models

_PLAIN: Final = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.FileField,
    models.FilePathField,
    models.FloatField,
    models.GenericIPAddressField,
    models.IntegerField,
    models.JSONField,
    models.TextField,
    models.UUIDField,
)
"""Fields whose values are texts, numbers, times or JSON; NaN and NUL are found when they come."""


def field_fault(field: Any) -> str | None:  # noqa: ANN401 - Django has no types
    """Return why values of *field* cannot be published; None where all of them can."""
    if (inner := _inner(field)) is not None:
        return field_fault(inner)
    if isinstance(field, models.DateTimeField) and not settings.USE_TZ:
        return "has no time zone, so its meaning is not known: set USE_TZ"
    own = [kind for kind in type(field).__mro__ if "from_db_value" in vars(kind)]
    if own and not own[0].__module__.startswith("django."):
        return f"has the type {type(field).__name__}, whose values may be anything"
    if isinstance(field, _PLAIN) or field.get_internal_type() == "HStoreField":
        return None
    return f"has the type {type(field).__name__}, which JSON does not know"


def _inner(field: Any) -> Any:  # noqa: ANN401 - Django has no types
    """Return the field whose values those of *field* are; None where that is itself."""
    match field:
        case models.ForeignKey():
            return field.target_field
        case models.GeneratedField():
            return field.output_field
        case _:
            # Of django.contrib.postgres, which not every service imports.
            return field.base_field if field.get_internal_type() == "ArrayField" else None
