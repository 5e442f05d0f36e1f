"""What Alembic runs for ``command.upgrade``: on the connection, and inside the transaction, that schema.migrate hands over.

A new migration is a file beside ``versions/m0001_first.py`` with the next number. It spells out its operations and imports
nothing of the journal's tables, which go on changing. There are no downgrades: a backup is the way back.
"""

from alembic import context

from keeper.journal.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
