"""The console: what staff do. Every action has an address; every change is a form that is answered by a redirect.

In comes a session (``desk``); out go pages that show what needs a decision. Rights are one table
(``desk.RIGHTS``); what may be opened is decided below, in ``use``.
A list is a plan that ``listing`` carries out.
Always true: no page changes anything when it is read; no form is taken without its session's token.
"""
