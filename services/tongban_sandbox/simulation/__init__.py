"""The simulator: real services on one seeded loop, where time jumps and whatever can fail does."""
