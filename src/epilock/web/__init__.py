"""The HTTP edge: resident pages, console, JSON API and the public log. It translates, and decides nothing.

In comes a request; out goes what the rooms below answer, in the person's language, or a problem that
says what to do.
Always true: nothing is read before its size is known; no page asks another host for anything; no page
needs a script; what a person typed stands in no address, title or log line.
"""
