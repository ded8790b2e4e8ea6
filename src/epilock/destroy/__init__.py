"""Data ends, with proof: due dates, holds, orders, erasures, events, certificates.

In come the clock, an order, a withdrawal, an event; out go erased keys and certificates.
Always true: never before the date, never under a hold, never without a witness.

Read in this order: ``due`` (what must go), ``hold`` (what must stay), ``order`` (what people decide),
``erasure`` and ``move`` (one record), ``freeze`` (what makes all of it wait), ``intent`` (what was announced), ``run`` (it is done),
``certificate`` (it is proved).
"""
