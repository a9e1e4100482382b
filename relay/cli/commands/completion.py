from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """Shell with programmable completion."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    context: typer.Context, shell: Annotated[Shell, typer.Argument(help="The shell to serve.")]
) -> None:
    """Print the script that completes commands and options with the tab key.

    For bash, add `source <(relay completion bash)` to ~/.bashrc; for zsh, the same with zsh to
    ~/.zshrc, after compinit; for fish: `relay completion fish >
    ~/.config/fish/completions/relay.fish`.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    program = context.find_root().info_name or "relay"
    variable = f"_{program}_COMPLETE".replace("-", "_").upper()
    script = get_completion_script(prog_name=program, complete_var=variable, shell=shell.value)
    typer.echo(script)
