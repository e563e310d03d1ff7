"""Case types: one table each that reads like the regulation, beside the pure rules that it names."""
