"""Schema migrations (Alembic): one line of versions for the main database, one for the key store's."""
