"""The registry's own database: tables, set-wise statements, migrations. Only here is SQL."""
