"""Making a change that was prepared: checked once more, with its reason, as one person."""

from relay.console.access.refusals import forbidden, not_found
from relay.console.changes.change import Done, Form, Prepared, check_unchanged, reason
from relay.console.changes.verbs import VERBS
from relay.console.database import PATIENCE_OF_CHANGE_SECONDS
from relay.console.visit import Visit
from relay.operations.actions import Why


def prepared(visit: Visit) -> Prepared:
    """Return the change that the address names.

    Raises:
        Refusal: 404, there is no such change; 400, it would change nothing.
    """
    prepare = VERBS.get(visit.path["verb"])
    if prepare is None:
        raise not_found("There is no such action.")
    return prepare(visit)


def make(visit: Visit, form: Form) -> Done:
    """Make the change that the address names, as the form confirms it.

    Raises:
        Refusal: 403, this person may not; 409, it is not what the person saw; 400, no reason.
        RelayError: the operation refuses. Nothing was changed then.
    """
    if blocked := visit.blocked:
        raise forbidden(f"{blocked} Nothing was changed.")
    change = prepared(visit)
    check_unchanged(change, form)
    why = Why(reason(form), visit.person.name or None)
    with visit.database.connection(PATIENCE_OF_CHANGE_SECONDS) as connection:
        done = change.act(connection, why, form)
    visit.watch.refresh()
    return done
