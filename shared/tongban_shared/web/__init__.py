"""What all services share over HTTP: problems, guard, health, logs. FastAPI is here and in the gateway."""
