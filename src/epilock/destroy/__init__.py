"""Data ends, with proof: due dates, orders, holds, erasures, certificates.

In come the clock, an order, a withdrawal; out go erased keys and certificates.
Always true: never before the date, never under a hold, never without a witness.
"""
