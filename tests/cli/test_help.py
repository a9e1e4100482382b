"""Help texts: groups, usage lines, examples, and the form of every sentence."""

import re
import shlex
from typing import Any, Final

import pytest
import typer
from typer.testing import CliRunner

from relay.cli.app import app

COMMANDS: Final[dict[str, Any]] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
GROUPS: Final = {
    "Run": ["run", "api", "console"],
    "Look": ["status", "top", "list", "history", "show", "doctor", "check", "live", "audit"],
    "Change": [
        "requeue",
        "discard",
        "restore",
        "redirect",
        "pause",
        "resume",
        "replay",
        "purge-events",
    ],
    "Set up": ["migrate", "create-topic", "triggers", "completion"],
    "Develop": ["demo", "events"],
}
# A log, a server and a script: none of them is a table.
WITHOUT_JSON: Final = {"run", "api", "console", "completion"}
QUESTION: Final = re.compile(r"(?i)^(what|who|whose|whom|how|whether|which|where|when|why)\b")

each_command = pytest.mark.parametrize("command", COMMANDS)


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"}, prog_name="relay")
    assert result.exit_code == 0, result.output
    return result.output


def test_commands_are_grouped() -> None:
    found: dict[str, list[str]] = {}
    for name, command in COMMANDS.items():
        found.setdefault(command.rich_help_panel, []).append(name)
    assert found == GROUPS
    titles = re.findall(r"╭─ ([\w ]+?) ─", shown("--help"))
    assert titles == ["Options", *GROUPS]


@each_command
def test_the_usage_line_can_be_read(command: str) -> None:
    (usage,) = (line for line in shown(command, "--help").splitlines() if "Usage:" in line)
    assert re.fullmatch(
        rf" Usage: relay {command} \[OPTIONS\]( (\[[A-Z]+\]|\{{[A-Za-z]+\}})(\.\.\.)?)? *", usage
    )


@each_command
def test_the_example_is_a_command_line_that_works(command: str) -> None:
    epilog: str = COMMANDS[command].epilog
    (example,) = re.findall(r"Example: `(.*)`", epilog)
    (call,) = re.findall(rf"relay {command}\b([^|>)]*)", example)
    COMMANDS[command].make_context(command, shlex.split(call))
    assert f"relay {command}" in shown(command, "--help").partition("Example:")[2]


@each_command
def test_a_sentence_begins_with_the_thing_or_a_verb(command: str) -> None:
    texts = [COMMANDS[command].help, *(option.help for option in COMMANDS[command].params)]
    for text in texts:
        assert text
        assert not QUESTION.match(text), text
        assert text.endswith((".", ":")), text


@each_command
def test_there_is_json_for_programs(command: str) -> None:
    options = {name for option in COMMANDS[command].params for name in option.opts}
    assert ("--json" in options) == (command not in WITHOUT_JSON)


@each_command
def test_a_switch_has_no_second_name(command: str) -> None:
    assert not [option.secondary_opts for option in COMMANDS[command].params
                if option.secondary_opts]  # fmt: skip


def test_brackets_are_no_markup() -> None:
    assert "pip install 'outbox-relay[api]'" in shown("api", "--help")
