"""``python -m epilock`` is ``epilock``."""

from epilock.cli import main

if __name__ == "__main__":
    main()
