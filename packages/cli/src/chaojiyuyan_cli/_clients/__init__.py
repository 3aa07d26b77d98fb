"""MCP clients: the known clients, the files with their servers, and the editing of these files."""

NAMED_CLIENTS = ("claude-desktop", "cursor", "vscode", "windsurf", "gemini-cli", "codex")
"""The clients that ``--client`` can name. Their files are edited only then."""
