"""The demo's outbox, one for the process as a service has it; for `relay replay --outbox`."""

from relay.demo.tables import track
from relay.service.outbox import Outbox

outbox = Outbox(streaming=True)
track(outbox)
