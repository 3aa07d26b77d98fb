"""``python -m chaojiyuyan_cli``: the command line where no script is installed."""

from .main import run

raise SystemExit(run())
