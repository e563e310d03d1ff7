"""Real servers for one machine: PostgreSQL and Apache Kafka from locked packages, on loopback only."""

from tongban_sandbox.servers.kafka import KafkaServer
from tongban_sandbox.servers.postgres import PostgresServer
from tongban_sandbox.servers.process import ServerFailedError, ServerMissingError

__all__ = ["KafkaServer", "PostgresServer", "ServerFailedError", "ServerMissingError"]
