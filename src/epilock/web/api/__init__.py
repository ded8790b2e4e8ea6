"""The JSON API: what the pages do, for programs. Errors are problem details (RFC 9457).

In come JSON bodies of at most 64 KiB, a receipt's code or a staff token; out go the same answers that the
pages show. Described by OpenAPI at ``/api/openapi.json``, and as a page at ``/api``.
"""
