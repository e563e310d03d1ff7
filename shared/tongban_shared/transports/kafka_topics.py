"""Topics on a live cluster: made where they are missing, compared with what is wanted. Never altered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from tongban_shared.errors import SettingsError, TransportDownError
from tongban_shared.transports.kafka_broker import Broker, Log, describe_logs
from tongban_shared.transports.topics import Topic, differences

ADMIN_LIMIT_S = 30.0
PAUSE_S = 0.05


async def create_topics(bootstrap: str, wanted: Sequence[Topic]) -> Sequence[str]:
    """Make the topics that are missing, for use at once; return their names. The others stay as they are.

    Raises SettingsError when the cluster refuses one, TransportDownError when it does not answer. Repeat it
    after either: it goes on where it stopped.
    """
    broker = Broker(bootstrap, request_timeout_s=ADMIN_LIMIT_S)
    known = await describe_logs(broker, [topic.name for topic in wanted])
    missing = [topic for topic in wanted if known[topic.name] is None]
    if not missing:
        return ()
    async with _admin(broker) as admin:
        answer = await admin.create_topics([_new_topic(topic) for topic in missing])
    results = answer.to_object()["topic_errors"]
    made = [result["topic"] for result in results if _was_made(result)]
    await _wait_until_known(broker, made)
    return made


async def check_topics(bootstrap: str, wanted: Sequence[Topic]) -> Sequence[str]:
    """Compare live topics with the wanted ones: a line for each difference, with what to do.

    Raises TransportDownError when the cluster does not answer.
    """
    broker = Broker(bootstrap, request_timeout_s=ADMIN_LIMIT_S)
    known = await describe_logs(broker, [topic.name for topic in wanted])
    logs = {name: log for name, log in known.items() if log is not None}
    settings = await _live_settings(broker, list(logs)) if logs else {}
    return differences(wanted, {name: _found(name, log, settings) for name, log in logs.items()})


async def _wait_until_known(broker: Broker, names: Sequence[str]) -> None:
    """A broker says yes to a new topic before it has heard of it; who used it at once would be refused."""
    until = time.monotonic() + ADMIN_LIMIT_S
    while missing := [name for name, log in (await describe_logs(broker, names)).items() if log is None]:
        if time.monotonic() > until:
            raise TransportDownError(f"{missing[0]} was made, but Kafka still does not know it")
        await asyncio.sleep(PAUSE_S)


def _new_topic(topic: Topic) -> NewTopic:
    return NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.settings))


def _found(name: str, log: Log, settings: Mapping[str, Mapping[str, str]]) -> Topic:
    return Topic(name, log.partitions, log.replicas, settings.get(name, {}))


async def _live_settings(broker: Broker, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    async with _admin(broker) as admin:
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        )
    resources: list[dict[str, Any]] = [
        found for answer in answers for found in answer.to_object()["resources"]
    ]
    return {
        found["resource_name"]: {
            entry["config_names"]: entry["config_value"] for entry in found["config_entries"]
        }
        for found in resources
    }


def _was_made(result: Mapping[str, Any]) -> bool:
    """Whether this topic is new; another program may have made it at the same time. Raises SettingsError."""
    error = for_code(result["error_code"])
    if error is TopicAlreadyExistsError:
        return False
    if error is InvalidReplicationFactorError:
        raise SettingsError(
            f"{result['topic']}: {result['error_message']}"
            " For a cluster of one, in development, there is --single-broker"
        )
    if result["error_code"] != 0:
        raise SettingsError(
            f"{result['topic']}: the cluster refuses it: {result['error_message'] or error.__name__}"
        )
    return True


@asynccontextmanager
async def _admin(broker: Broker) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**broker.settings())
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise TransportDownError(f"Kafka at {broker.bootstrap}: {error!r}") from error
    finally:
        await admin.close()
