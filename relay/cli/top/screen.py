"""Screen of `relay top`: a view, the line under the cursor, and a question to be answered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from relay.cli.printout.summary import STYLES, summary
from relay.cli.printout.tables import drawn
from relay.cli.printout.terminal import plain
from relay.cli.top.looks import Look
from relay.cli.top.tables import table
from relay.database.session import Connection
from relay.errors import RelayError
from relay.operations import actions
from relay.operations.actions import Why

VIEWS: Final[Mapping[str, str]] = {
    "n": "now", "s": "shards", "p": "parked", "k": "keys", "t": "topics", "r": "relays",
}  # fmt: skip
_BY_VIEW: Final = {
    "shards": "P pause U resume",
    "parked": "R requeue D discard",
}

Act = Callable[[Connection, Sequence[int], Why], list[int]]


@dataclass(frozen=True)
class Question:
    """An action that waits for its reason to be typed."""

    verb: str
    what: str
    target: int
    act: Act
    done: str


class Screen:
    """State of the screen, changed by keys; it reads nothing and draws nothing itself."""

    def __init__(self, person: str | None) -> None:
        self.view = "now"
        self.cursor = 0
        self.said = ""
        self.over = False
        self.question: Question | None = None
        self.reason = ""
        self._person = person

    def press(self, key: str, look: Look, connection: Callable[[], Connection]) -> None:
        """Change what is shown, or act; *connection* is opened for an action alone."""
        if self.question is not None:
            self._answer(key, connection)
        elif key in VIEWS:
            self.view, self.cursor, self.said = VIEWS[key], 0, ""
        elif key in {"up", "down"}:
            last = max(0, len(self._targets(look)) - 1)
            self.cursor = min(last, max(0, self.cursor + (1 if key == "down" else -1)))
        elif key in {"q", "\x03", "\x04"}:
            self.over = True
        else:
            self._ask(key, look)

    def _targets(self, look: Look) -> Sequence[int]:
        if self.view == "shards":
            return [shard.shard for shard in look.status.shards]
        if self.view == "parked":
            return [row.id for row in look.status.newest_parked]
        return []

    def _ask(self, key: str, look: Look) -> None:
        offered: dict[tuple[str, str], tuple[str, str, Act, str]] = {
            ("shards", "P"): ("pause", "shard", actions.pause, "paused"),
            ("shards", "U"): ("resume", "shard", actions.resume, "resumed"),
            ("parked", "R"): ("requeue", "row", actions.requeue, "requeued"),
            ("parked", "D"): ("discard", "row", actions.discard, "discarded"),
        }
        targets = self._targets(look)
        if (self.view, key) not in offered or self.cursor >= len(targets):
            return
        verb, what, act, done = offered[self.view, key]
        if not self._person:
            self.said = "The person is missing: start relay top with --as; nothing was changed."
            return
        self.said, self.reason = "", ""
        self.question = Question(verb, what, targets[self.cursor], act, done)

    def _answer(self, key: str, connection: Callable[[], Connection]) -> None:
        question = self.question
        assert question is not None  # noqa: S101 - asked by press()
        if key == "escape":
            self.question, self.said = None, "Nothing was changed."
        elif key == "backspace":
            self.reason = self.reason[:-1]
        elif key == "enter" and self.reason.strip():
            self.question = None
            self.said = self._done(question, connection)
        elif len(key) == 1 and key.isprintable():
            self.reason += key

    def _done(self, question: Question, connection: Callable[[], Connection]) -> str:
        subject = f"{question.what.capitalize()} {question.target}"
        try:
            why = Why(self.reason.strip(), self._person)
            changed = question.act(connection(), [question.target], why)
        except RelayError as error:
            return str(error)
        return f"{subject} {question.done}." if changed else f"{subject} left unchanged."

    def lines(
        self, look: Look, width: int, height: int, fault: str | None = None
    ) -> Iterator[Text]:
        """Yield as many lines as the terminal has, none longer than it is wide."""
        body = list(self._body(look, width, height - 2))
        for line in body[: height - 2]:
            line.truncate(width, overflow="ellipsis")
            yield line
        yield from (Text() for _ in range(height - 2 - len(body)))
        yield self._told(look, width, fault)
        names = " ".join(f"{key} {name}" for key, name in VIEWS.items())
        keys = "  ".join(filter(None, ("q quit", names, _BY_VIEW.get(self.view))))
        yield _cut(Text(keys, style="reverse"), width)

    def _told(self, look: Look, width: int, fault: str | None) -> Text:
        if self.question is not None:
            asked = f"Reason to {self.question.verb} {self.question.what} {self.question.target}: "
            # The end of a long reason is what somebody types at the moment.
            return Text.assemble((asked, "bold"), f"{self.reason}_"[-(width - len(asked)) :])
        if fault:
            return _cut(plain(fault), width)
        rows = look.status.newest_parked if self.view == "parked" else ()
        if not self.said and self.cursor < len(rows):
            return _cut(plain(f"{rows[self.cursor].last_error or 'no error noted'}"), width)
        return _cut(plain(self.said) if self.said else Text(), width)

    def _body(self, look: Look, width: int, height: int) -> Iterator[Text]:
        if self.view == "now":
            yield from summary(look.status, look.outlook, width, look.growth)
            return
        sentence = Text(look.outlook.sentence, style=STYLES[look.outlook.answer])
        yield _cut(sentence, width)
        heading, *rest = drawn(table(self.view, look))
        yield heading
        yield from self._window(rest, height - 2)

    def _window(self, lines: Sequence[Text], height: int) -> Iterator[Text]:
        """Yield the lines around the cursor, which is marked where there is something to do."""
        first = max(0, min(self.cursor - height // 2, len(lines) - height))
        for number, line in enumerate(lines[first : first + height], start=first):
            if number == self.cursor and self.view in _BY_VIEW:
                line.stylize("reverse")
            yield line


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text
