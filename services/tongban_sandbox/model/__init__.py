"""The product's own step functions, searched through every order of messages, repeats and faults."""
