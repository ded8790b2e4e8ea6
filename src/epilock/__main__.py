"""``python -m epilock`` is ``epilock``."""

from epilock.cli import main

main()
