"""Tests on a real PostgreSQL, and what they need of one. `make test-postgres` runs them; `make test` does not."""
