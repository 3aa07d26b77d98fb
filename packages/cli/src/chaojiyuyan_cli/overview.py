"""The commands, and the page that lists them: what is asked most, and so without click."""

from __future__ import annotations

SECTIONS = {
    "Account": {
        "connect": "Log in, and register the MCP server with your clients.",
        "disconnect": "Forget the key, and take the MCP server out of your clients.",
        "login": "Log in and save the key; MCP clients are left alone.",
        "logout": "Forget the saved key; MCP clients are left alone.",
        "whoami": "Show whose key is in use, and that it is accepted.",
        "status": "Show the key and base URL in use, or one job.",
        "doctor": "Check that all is in order, and say how to mend it.",
    },
    "Jobs": {
        "capabilities": "List what can be called, and what it costs.",
        "call": "Post a job for a capability.",
        "jobs": "List the jobs that you have posted, newest first.",
        "events": "List what has happened to a job, oldest first.",
    },
    "Working and serving": {
        "worker": "Work for a capability: as an echo stub, or by --app.",
        "mcp-server": "Serve MCP over standard input and output.",
        "dev": "Run the whole platform on this machine.",
    },
    "This program": {
        "completion": "Print the completion script of a shell.",
        "version": "Print the version.",
    },
}
"""Each command with the first sentence of its help."""

COMMANDS = tuple(name for commands in SECTIONS.values() for name in commands)
"""The names of the commands, in the order of the page."""

SUMMARY = "Call capabilities of the chaojiyuyan platform, work for it, and hand it to MCP clients."

_OPTIONS = """\
Options, of every command too:
  --profile NAME  Profile of the credentials file; beats the environment.
  --base-url URL  Base URL of the API; beats environment and profile.
  --debug         Show requests, and where an error comes from.
  -h, --help      Show this message, or a command's, and exit.
"""

_QUICK_START = """\
Quick start:
  chaojiyuyan connect                         log in, and wire up your MCP clients
  chaojiyuyan capabilities                    what you can call
  chaojiyuyan call CAP --input '{"text": "hi"}' --wait
"""


def page() -> str:
    """Return the help of the command line as a whole."""
    width = max(map(len, COMMANDS))
    parts = [f"Usage: chaojiyuyan [OPTIONS] COMMAND [ARGS]...\n\n{SUMMARY}\n", _QUICK_START]
    for title, commands in SECTIONS.items():
        rows = [f"  {name:<{width}}  {text}\n" for name, text in commands.items()]
        parts.append(f"{title}:\n{''.join(rows)}")
    return "\n".join([*parts, _OPTIONS]).rstrip()
