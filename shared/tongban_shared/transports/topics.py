"""Topics as deploy/topics.toml wants them: read, spelled out for each province, compared with what is there.

No broker is asked here; kafka_topics.py does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from tongban_shared.catalogue import STRICT, Text, read_toml, strict_table
from tongban_shared.errors import CatalogueError, SettingsError
from tongban_shared.ids import Province
from tongban_shared.ports import Family
from tongban_shared.provinces import deploy_folder
from tongban_shared.wire import PARCEL_SIZE_BYTES_MAX

TOPIC_NAME = "tongban.v1.{family}.{province}"
URGENT_FIRST = (Family.IDENTITY, Family.COMMON, Family.CERTIFICATE, Family.MIGRATION)
"""The order of reading: an urgent identity message never queues behind a bulk of migrations."""

REPLICAS_MIN, IN_SYNC_MIN = 3, 2
DAY_MS = 86_400_000
FRAMING_SIZE_BYTES = 65_536

Count = Annotated[int, Field(ge=1, le=100)]


@dataclass(frozen=True, slots=True)
class CommonSettings:
    """What all topics share. Sizes in bytes, retention in days."""

    partitions: Literal[1]
    replication_factor: Count
    min_insync_replicas: Count
    message_size_max_bytes: Annotated[int, Field(ge=PARCEL_SIZE_BYTES_MAX + FRAMING_SIZE_BYTES)]
    retention_days: Annotated[int, Field(ge=1, le=3650)]
    cleanup_policy: Literal["delete"]
    compression: Literal["producer"]


@dataclass(frozen=True, slots=True)
class SingleBroker:
    """What differs on one broker, for development."""

    replication_factor: Literal[1]
    min_insync_replicas: Literal[1]


@dataclass(frozen=True, slots=True)
class FamilySettings:
    """One family's title, for people."""

    title_zh: Text


@dataclass(frozen=True, slots=True)
class TopicsConfig:
    """deploy/topics.toml, checked."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    common_settings: CommonSettings
    single_broker: SingleBroker
    families: Mapping[Family, FamilySettings]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as wanted or as found. settings: Kafka's own names and spelling."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]


def topic_name(family: Family, province: Province) -> str:
    """Name the topic of one receiving province and family."""
    return TOPIC_NAME.format(family=family.value, province=province)


def load_topics(path: Path | None = None) -> TopicsConfig:
    """Read a topics file, the shipped one where None. Raises CatalogueError naming file and key."""
    source = deploy_folder() / "topics.toml" if path is None else path
    config = strict_table(TopicsConfig, read_toml(source), source.name)
    if config.name != TOPIC_NAME:
        raise CatalogueError(f"{source.name}: name: both sides of the wire know it as {TOPIC_NAME}")
    if set(config.families) != set(Family):
        raise CatalogueError(f"{source.name}: families: want {', '.join(family.value for family in Family)}")
    return config


def wanted_topics(
    config: TopicsConfig, provinces: Iterable[Province], *, single_broker: bool = False
) -> Sequence[Topic]:
    """Spell out every topic, by name in ascending order.

    Raises SettingsError when fewer than 3 replicas, or 2 in sync, are asked for without `single_broker`.
    """
    common = config.common_settings
    copies = config.single_broker if single_broker else common
    safe = copies.replication_factor >= REPLICAS_MIN and copies.min_insync_replicas >= IN_SYNC_MIN
    if not (safe or single_broker):
        raise SettingsError(
            f"topics: replication_factor {copies.replication_factor} and min_insync_replicas"
            f" {copies.min_insync_replicas} would lose records with one broker; want at least {REPLICAS_MIN}"
            f" and {IN_SYNC_MIN}, or a single broker, for development, by name"
        )
    settings = {
        "cleanup.policy": common.cleanup_policy,
        "compression.type": common.compression,
        "max.message.bytes": str(common.message_size_max_bytes),
        "min.insync.replicas": str(copies.min_insync_replicas),
        "retention.ms": str(common.retention_days * DAY_MS),
        "unclean.leader.election.enable": "false",
    }
    names = sorted(topic_name(family, province) for province in provinces for family in Family)
    return [Topic(name, common.partitions, copies.replication_factor, settings) for name in names]


def differences(wanted: Iterable[Topic], found: Mapping[str, Topic]) -> Sequence[str]:
    """Say for each topic what is not as wanted and what to do about it; empty when all is right."""
    return [line for topic in wanted for line in _compare(topic, found.get(topic.name))]


def _compare(wanted: Topic, found: Topic | None) -> Iterable[str]:
    if found is None:
        yield f"{wanted.name}: is missing; run: tongban topics create"
        return
    if found.partitions != wanted.partitions:
        yield (
            f"{wanted.name}: {found.partitions} partitions, want {wanted.partitions}; Kafka can't take any"
            " away: stop its readers and senders, delete it and run: tongban topics create"
        )
    if found.replicas < wanted.replicas:
        yield (
            f"{wanted.name}: {found.replicas} replicas, want {wanted.replicas};"
            " add them with kafka-reassign-partitions"
        )
    for key, value in wanted.settings.items():
        live = found.settings.get(key)
        if live != value:
            yield (
                f"{wanted.name}: {key} is {live}, want {value}; run: kafka-configs --alter"
                f" --entity-type topics --entity-name {wanted.name} --add-config {key}={value}"
            )
