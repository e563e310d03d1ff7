"""What two provinces must agree on: ids, messages, case tables, signatures and ports."""
