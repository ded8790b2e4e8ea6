"""Who acts and in what state of affairs: organisations, emergencies and their levels, mandates, agreements.

In come declarations by those in charge; out goes what the rules are applied to.
Always true: each change is a ledger entry in the same transaction.
"""
