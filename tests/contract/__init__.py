"""One suite for every store: SQLite now; another engine joins by its url (stores.py)."""
