"""One province's registry: its people, its cases, its inbox and outbox."""
