"""The proof of every night: everybody has exactly one home; who has not, and what is to be done."""
