"""`tongban faults`: a small real country under load, struck in every way the protocol says it survives.

`table` names each fault; `strikes` and the `at_…` files bring it about; `client` is outside, applies, asks,
and writes down what it is told; `history` says whether that can all be true; `campaign` runs and measures. A
new fault is one function that strikes and heals, and one line of the table.
"""
