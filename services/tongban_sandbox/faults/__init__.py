"""`tongban faults`: a small real country under load, struck in every way the protocol says it survives."""
