"""Definition of an event class: all that its events have in common, checked when it is defined."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from typing import TypedDict

from relay.errors import EventDefinitionError
from relay.service.events.placeholders import as_template
from relay.service.events.severity import Severity, broken_rules

_OWN_SCOPE = re.compile(r"[a-z][a-z0-9_]{0,62}")
CATEGORIES = ("user", "metrics")


class Scope(StrEnum):
    """Owner of the events of a class: the kind of id that each of them must have."""

    CLUSTER = "cluster"
    INFRA_ENV = "infra_env"
    HOST = "host"
    """A host that may be bound to no cluster."""

    @property
    def owner(self) -> str:
        """The field that must be set."""
        return f"{self.value}_id"


@dataclass(frozen=True, slots=True)
class OwnScope:
    """Owner in a domain of the service's own: its events have a field named after it."""

    value: str

    @property
    def owner(self) -> str:
        """The field that must be set."""
        return f"{self.value}_id"


def scope_of(scope: Scope | OwnScope | str) -> Scope | OwnScope:
    """Return the scope that *scope*, or its name, stands for.

    Raises:
        EventDefinitionError: it can be no field's name.
    """
    if isinstance(scope, Scope | OwnScope):
        return scope
    scope = str(scope)
    if scope in {known.value for known in Scope}:
        return Scope(scope)
    if not _OWN_SCOPE.fullmatch(scope):
        raise EventDefinitionError(
            f"scope={scope!r}: give Scope.CLUSTER, INFRA_ENV, HOST, or a name of your own in "
            'small letters, digits and underscores, such as "order"'
        )
    return OwnScope(scope)


class EventOptions(TypedDict, total=False):
    """Options behind the name of an event class.

    *lenient* keeps broken rules of severity, and braces that are no placeholders, as
    `EventDefinition.broken_rules`, where they are an error otherwise: for events that were written
    before these rules.
    """

    severity: Severity
    message: str
    name: str
    category: str
    scope: Scope | OwnScope | str
    remedy: str
    details: Sequence[str]
    lenient: bool


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """A checked definition. *template* is the message and the remedy, with {field} placeholders."""

    name: str
    severity: Severity
    template: str
    category: str = "user"
    scope: Scope | OwnScope = Scope.CLUSTER
    details: tuple[str, ...] = ()
    broken_rules: tuple[str, ...] = ()


def define(event: str, fields: Collection[str], options: EventOptions) -> EventDefinition:
    """Return the definition of *event*, whose class has these *fields* and a message.

    Raises:
        EventDefinitionError: it cannot work; the message says what to change.
    """
    for fault in _option_faults(options):
        raise EventDefinitionError(f"{event}: {fault}")
    severity = options["severity"]
    message, remedy = options["message"], options.get("remedy")
    details = tuple(options.get("details", ()))
    rules = list(broken_rules(severity, message, remedy, details))
    scope = scope_of(options.get("scope", Scope.CLUSTER))
    template = f"{message.removesuffix('.')}. {remedy}" if remedy else message
    if options.get("lenient"):
        template, advice = as_template(template, fields)
        rules += advice
    elif rules:
        raise EventDefinitionError(f"{event}: {'; '.join(rules)}")
    for fault in (
        *_scope_faults(scope, fields),
        *_template_faults(template, fields),
        *_detail_faults(details, fields),
        *_category_faults(options.get("category", "user")),
    ):
        raise EventDefinitionError(f"{event}: {fault}")
    return EventDefinition(
        name=event,
        severity=severity,
        template=template,
        category=options.get("category", "user"),
        scope=scope,
        details=details,
        broken_rules=tuple(rules),
    )


def _option_faults(options: EventOptions) -> Iterator[str]:
    """Yield options of a wrong type: class statements are checked by nobody else."""
    severity: object = options.get("severity")
    if severity is None:
        yield "say how much it matters: severity=Severity.INFO, or another"
    elif not isinstance(severity, Severity):
        meant = next((known.name for known in Severity if known.value == str(severity).lower()), "")
        yield (
            f"severity={severity!r} is no Severity; write severity=Severity.{meant or 'INFO'}"
            f"{'' if meant else ', WARNING, ERROR or CRITICAL'}"
        )
    texts: dict[str, object] = {name: options.get(name) for name in ("message", "remedy", "name")}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            yield f"{name} is of type {type(text).__name__}; write a text"
    if isinstance(options.get("details"), str):
        yield f'details is a text; write a list of names: details=["{options["details"]}"]'


def _scope_faults(scope: Scope | OwnScope, fields: Collection[str]) -> Iterator[str]:
    if scope.owner not in fields:
        yield f'scope="{scope.value}" needs the field {scope.owner}: declare it, with its type'


def _template_faults(template: str, fields: Collection[str]) -> Iterator[str]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        yield f"the message is no valid template: {error}"
        return
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            yield f"write plain {{field}} placeholders in the message, not {{{name}…}}"
        elif name not in fields:
            yield (
                f"the message names {{{name}}}, which is no field; "
                f"the fields are {', '.join(sorted(fields))}"
            )


def _detail_faults(details: Sequence[str], fields: Collection[str]) -> Iterator[str]:
    if unknown := sorted(set(details) - set(fields)):
        yield (
            f"details names {', '.join(unknown)}, which is no field; "
            f"the fields are {', '.join(sorted(fields))}"
        )


def _category_faults(category: str) -> Iterator[str]:
    if category not in CATEGORIES:
        yield f"the category is {category!r}; it must be one of {', '.join(CATEGORIES)}"
