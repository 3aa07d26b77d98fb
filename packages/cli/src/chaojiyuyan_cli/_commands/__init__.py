"""One module for each command. Its ``command`` is imported only when the command runs."""
