"""Run by Alembic, with the connection that migrations/__init__.py opened and will commit."""

from alembic import context

from gateway.storage._metadata import metadata

connection = context.config.attributes["connection"]
if connection is not None:
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()
