"""The help page, made by scripts/help_page.py from the commands. Do not edit it."""

PAGE = """\
Usage: chaojiyuyan [OPTIONS] COMMAND [ARGS]...

Call capabilities of the chaojiyuyan platform, run workers for them, and connect MCP clients.

Quick start:
  chaojiyuyan connect                                   log in and connect your MCP clients
  chaojiyuyan capabilities                              list what you can call
  chaojiyuyan call CAP --input '{"text": "hi"}' --wait  call one

Account:
  connect     Log in, and register the MCP server with your clients.
  disconnect  Forget the key, and remove the MCP server from your clients.
  login       Log in and save the key; leave MCP clients alone.
  logout      Forget the saved key; leave MCP clients alone.
  whoami      Show whose key is in use, and that it is accepted.
  status      Show the key and base URL in use, or one job.
  doctor      Check that everything works, and say how to repair it.

Jobs:
  capabilities  List what you can call, with prices.
  call          Order a job for a capability.
  batch         Order a job for each line of INPUTS, a file of JSON objects.
  rerun         Order a job's input again, as a new job.
  jobs          List your jobs, newest first.
  events        List the events of a job, oldest first.
  download      Download the artifacts of a job.

Working and serving:
  init        Write a small project to begin with.
  worker      Run a worker: an echo stub, or your own by --app.
  mcp-server  Serve MCP over standard input and output.
  listen      Post webhooks of your jobs to a local address.
  dev         Run the whole platform on this machine.

This program:
  completion  Print the completion script of a shell.
  version     Print the version.

Options:
  --profile NAME  Use this profile of the credentials file, not the environment.
  --base-url URL  Base URL of the API; overrides the environment and the profile.
  --debug         Show requests, and the place that an error comes from.
  --version       Print the version and exit.
  -h, --help      Show this message and exit."""
"""What `chaojiyuyan --help` prints."""
