"""Pseudonyms: codes instead of names, the same for one person within a study, under a key that can be destroyed.

In reading order: ``pseudonym`` (codes; pure), ``study`` (the key, from its first day to its destruction),
``coding`` (the columns of a file). Always true: no way leads from one study's codes to another's; without the key
none leads back.
"""
