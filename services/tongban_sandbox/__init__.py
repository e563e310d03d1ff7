"""The whole country on one machine: provinces, ledger, gateway and the servers they need."""
