"""The gateway: one address for the whole country. It routes and forwards; it keeps nothing."""
