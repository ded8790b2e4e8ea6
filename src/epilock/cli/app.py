"""The whole program: every command, and with them every room."""

from epilock.cli.gather import gathered

app = gathered()
