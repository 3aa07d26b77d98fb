"""MCP clients: which exist, where they keep their servers, and how those files are edited."""
