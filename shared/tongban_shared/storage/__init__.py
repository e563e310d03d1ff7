"""The SQL kit of registry and ledger: one engine recipe, one set-wise parameter, one way to migrate.

With `tongban_registry.storage` and `tongban_ledger.storage` the only places that import sqlalchemy.
"""
