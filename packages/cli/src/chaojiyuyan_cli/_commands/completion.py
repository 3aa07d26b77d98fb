"""`chaojiyuyan completion`: print a script with which a shell completes commands and options."""

from __future__ import annotations

import click

from chaojiyuyan_cli._options import Command

_SHELLS = ("bash", "zsh", "fish", "powershell")

_HOW = """\
\b
Where to load it:
  ~/.bashrc   eval "$(chaojiyuyan completion bash)"
  ~/.zshrc    eval "$(chaojiyuyan completion zsh)"
  fish        chaojiyuyan completion fish > ~/.config/fish/completions/chaojiyuyan.fish
  $PROFILE    chaojiyuyan completion powershell | Out-String | Invoke-Expression
"""


@click.command("completion", cls=Command, epilog=_HOW)
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from chaojiyuyan_cli._group import cli

    script = get_completion_class(shell)
    if script is None:  # pragma: no cover - click knows every choice
        raise click.UsageError(f"no completion for {shell}")
    click.echo(script(cli, {}, "chaojiyuyan", "_CHAOJIYUYAN_COMPLETE").source())
