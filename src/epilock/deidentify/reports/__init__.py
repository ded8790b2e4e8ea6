"""Reports: what is told of a release, in two languages, with nothing in it that the release does not show.

In reading order: ``frontier`` (the same with smaller or larger classes), ``distribution`` (values before and
after), ``chart`` (their geometry), ``report`` (HTML and
JSON; texts in ``report.toml``, the page in ``report.html``). Always true: no raw value, no small number and no
word of a suppressed row is in a report.
"""
