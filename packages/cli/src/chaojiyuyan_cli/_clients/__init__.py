"""MCP clients: which exist, where they keep their servers, and how those files are edited."""

NAMED_CLIENTS = ("claude-desktop", "cursor", "vscode", "windsurf", "gemini-cli", "codex")
"""The clients whose files are edited when ``--client`` names them."""
