"""The SQL kit of registry and ledger: one engine recipe, one set-wise parameter, one way to migrate.

Statements are written in SQLAlchemy Core. `engine` runs them through SQLAlchemy; `writer` runs the same ones
on the driver's connection in half the time: for the units of work, which are all that load is made of.
With `tongban_registry.storage` and `tongban_ledger.storage` the only places that import sqlalchemy.
"""
