"""One question to a Kafka cluster, on a connection of its own: is it there, and which logs are its topics?

The client library's newest metadata request knows no topic ids, and only these tell a topic that was deleted
and made again from the old one. So version 12 of the request (Kafka 3.1 and later) is spelled out here.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from ssl import SSLContext
from typing import Any, ClassVar

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from tongban_shared.errors import SettingsError, TransportDownError

TOPIC_ID_SIZE_BYTES = 16
NO_TOPIC_ID = bytes(TOPIC_ID_SIZE_BYTES)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the cluster is. bootstrap: host:port[,host:port]; tls: None for plain text.

    Raises SettingsError if bootstrap is not of this form.
    """

    bootstrap: str
    tls: SSLContext | None = None
    request_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        try:
            hosts = collect_hosts(self.bootstrap)
        except ValueError:
            hosts = []
        if not hosts or not all(host for host, _, _ in hosts):
            raise SettingsError("Kafka: want host:port[,host:port]")

    def security(self) -> dict[str, Any]:
        """Arguments common to connections and clients of the library."""
        return {
            "client_id": "tongban",
            "request_timeout_ms": int(self.request_timeout_s * 1000),
            "security_protocol": "PLAINTEXT" if self.tls is None else "SSL",
            "ssl_context": self.tls,
        }

    def settings(self) -> dict[str, Any]:
        """Arguments common to producers, consumers and admin clients of the library."""
        return {"bootstrap_servers": self.bootstrap, **self.security()}


@dataclass(frozen=True, slots=True)
class Log:
    """A topic as the cluster knows it; another life of the same topic has another id."""

    id: str
    partitions: int
    replicas: int


class _Uuid(AbstractType[bytes]):
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(TOPIC_ID_SIZE_BYTES)


_NODES = CompactArray(Int32)


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _NODES),
                        ("isr", _NODES),
                        ("offline_replicas", _NODES),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):
    API_KEY: ClassVar[int] = 3

    def __init__(self, topics: Iterable[str]) -> None:
        tags: dict[int, bytes] = {}
        self._topics = [(NO_TOPIC_ID, topic, tags) for topic in topics]

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        return request_struct_class(self._topics, False, False, {})  # noqa: FBT003  # fields in wire order


async def describe_logs(
    broker: Broker, topics: Iterable[str], limit_s: float = 5.0
) -> Mapping[str, Log | None]:
    """Ask the first broker that answers; None for a topic that does not exist. Makes no topic.

    Raises TransportDownError when none answers within `limit_s`, or one forbids or lacks the request.
    """
    request, fault = _MetadataRequest(topics), "no broker is named"
    try:
        async with asyncio.timeout(limit_s):
            for host, port, _ in collect_hosts(broker.bootstrap):
                try:
                    return _read(await _ask(broker, host, port, request))
                except (OSError, KafkaError, NotImplementedError, TimeoutError) as error:
                    fault = f"{host}:{port}: {str(error) or type(error).__name__}"
    except TimeoutError:
        fault = f"{broker.bootstrap}: no answer within {limit_s:.1f} s"
    raise TransportDownError(f"Kafka does not answer: {fault}")


async def _ask(broker: Broker, host: str, port: int, request: _MetadataRequest) -> _MetadataResponse:
    connection: AIOKafkaConnection = await create_conn(host, port, **broker.security())
    try:
        response: _MetadataResponse = await connection.send(request)
    finally:
        await connection.close()
    return response


def _read(response: _MetadataResponse) -> Mapping[str, Log | None]:
    found = response.to_object()
    return {topic["name"]: _log(topic, found["cluster_id"]) for topic in found["topics"]}


def _log(topic: Mapping[str, Any], cluster_id: str) -> Log | None:
    if topic["error_code"] == UnknownTopicOrPartitionError.errno:
        return None
    if topic["error_code"] != 0:
        raise for_code(topic["error_code"])(topic["name"])
    # A cluster that gives topics no id can at least be told from its own successor.
    known = topic["topic_id"] != NO_TOPIC_ID
    log_id = base64.urlsafe_b64encode(topic["topic_id"]).decode("ascii").rstrip("=") if known else cluster_id
    replicas = min((len(partition["replicas"]) for partition in topic["partitions"]), default=0)
    return Log(log_id, len(topic["partitions"]), replicas)
