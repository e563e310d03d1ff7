"""The message contracts: closed, frozen, versioned; one file per case type, beside the envelope."""
