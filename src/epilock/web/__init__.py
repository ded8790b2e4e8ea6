"""The HTTP edge: resident pages, console, JSON API, the public log. It translates only."""
