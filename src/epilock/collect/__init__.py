"""Data comes in: points, notices, authorisations, forms, imports, receipts.

In come a declared point and a filled form or file; out go a notice, a sealed record and a receipt.
Always true: nothing is asked that the standard refuses; nothing is stored without notice.
"""
