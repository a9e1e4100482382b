"""A change before it is made: what it does, to what exactly, and a form for the reason."""

from relay.console.changes.making import prepared
from relay.console.content import Change, Field, Page, Table
from relay.console.visit import Visit


def change(visit: Visit) -> Page:
    """Return the page of the change that the address names."""
    found = prepared(visit)
    form = Change(
        verb=visit.path["verb"],
        consequence=found.consequence,
        fields=(Field("seen", "", found.seen, kind="hidden"), *found.fields),
        submit=found.submit,
        count=found.count,
        danger=found.danger,
        blocked=visit.blocked,
        cancel=found.back,
        buttons=found.buttons,
    )
    return Page(
        here="",
        title=found.title,
        blocks=(form, *(each for each in found.shown if not isinstance(each, Table) or each.rows)),
        live=False,
        crumbs=(("Back", found.back),),
    )
