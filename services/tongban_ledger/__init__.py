"""The custody ledger: which province holds a registration, by keyed digest, without personal data."""
