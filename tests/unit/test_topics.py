"""deploy/topics.toml: what it wants, and how it is compared with what is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tongban_shared.errors import CatalogueError, SettingsError
from tongban_shared.ids import PROVINCES, Province
from tongban_shared.ports import Family
from tongban_shared.provinces import deploy_folder
from tongban_shared.transports.topics import (
    URGENT_FIRST,
    Topic,
    differences,
    load_topics,
    topic_name,
    wanted_topics,
)

PROVINCE = Province("44")


def test_every_province_has_a_topic_for_each_family() -> None:
    """31 provinces by 4 families, each once, each on one partition."""
    topics = wanted_topics(load_topics(), PROVINCES)
    names = [topic.name for topic in topics]
    assert names == sorted({topic_name(family, province) for family in Family for province in PROVINCES})
    assert len(names) == 124
    assert {topic.partitions for topic in topics} == {1}


def test_the_wanted_settings_lose_no_record_with_one_broker() -> None:
    """Three replicas, two in sync, no unclean election, kept for 90 days."""
    topic = wanted_topics(load_topics(), [PROVINCE])[0]
    assert topic.replicas == 3
    assert topic.settings == {
        "cleanup.policy": "delete",
        "compression.type": "producer",
        "max.message.bytes": "1048576",
        "min.insync.replicas": "2",
        "retention.ms": "7776000000",
        "unclean.leader.election.enable": "false",
    }


def test_a_single_broker_is_asked_for_by_name() -> None:
    """One replica is wanted only where the caller says so."""
    topic = wanted_topics(load_topics(), [PROVINCE], single_broker=True)[0]
    assert (topic.replicas, topic.settings["min.insync.replicas"]) == (1, "1")


@pytest.mark.parametrize(
    "fault", [("replication_factor = 3", "replication_factor = 2"), ("replicas = 2", "replicas = 1")]
)
def test_too_few_replicas_are_refused(tmp_path: Path, fault: tuple[str, str]) -> None:
    """A file that asks for less than three replicas, two in sync, is refused, but not for a single broker."""
    config = load_topics(changed(tmp_path, *fault))
    with pytest.raises(SettingsError, match="would lose records"):
        wanted_topics(config, [PROVINCE])
    assert wanted_topics(config, [PROVINCE], single_broker=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("partitions = 1", "partitions = 2"),
        ("tongban.v1.{family}.{province}", "tongban.v2.{family}.{province}"),
        ("[families.identity]", "[families.passport]"),
        ("1_048_576", "900_000"),
        ('cleanup_policy = "delete"', 'cleanup_policy = "compact"'),
        ("retention_days = 90", "retention_days = 90\nretention_hours = 1"),
        ("retention_days = 90", "retention_days ="),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, old: str, new: str) -> None:
    """What both sides of the wire rely on can't be set otherwise; the error names the file."""
    with pytest.raises(CatalogueError, match=r"topics\.toml"):
        load_topics(changed(tmp_path, old, new))


def test_topics_as_wanted_give_no_line() -> None:
    """More replicas than wanted are no fault either."""
    wanted = wanted_topics(load_topics(), [PROVINCE])
    live = {topic.name: replace(topic, replicas=5) for topic in wanted}
    assert differences(wanted, live) == []


def test_each_difference_says_what_to_do() -> None:
    """Missing, wrong partitions, too few replicas and a wrong setting: a line each, with the remedy."""
    wanted = wanted_topics(load_topics(), [PROVINCE])
    missing, many, few, other = wanted
    settings = {**other.settings, "retention.ms": "1"}
    live = [replace(many, partitions=3), replace(few, replicas=1), replace(other, settings=settings)]
    lines = differences(wanted, {topic.name: topic for topic in live})
    assert [line.split(":")[0] for line in lines] == [topic.name for topic in (missing, many, few, other)]
    remedies = (
        "topics create",
        "delete it",
        "kafka-reassign-partitions",
        "--add-config retention.ms=7776000000",
    )
    assert all(remedy in line for remedy, line in zip(remedies, lines, strict=True))


def test_a_setting_that_is_not_there_differs() -> None:
    """A broker that does not tell a setting has not got it."""
    wanted = Topic("t", 1, 3, {"min.insync.replicas": "2"})
    assert (
        "min.insync.replicas is None, want 2" in differences([wanted], {"t": replace(wanted, settings={})})[0]
    )


def test_every_family_has_its_urgency() -> None:
    """Identity is read first, a bulk of migrations last."""
    assert set(URGENT_FIRST) == set(Family)
    assert (URGENT_FIRST[0], URGENT_FIRST[-1]) == (Family.IDENTITY, Family.MIGRATION)


def changed(folder: Path, old: str, new: str) -> Path:
    """Write the shipped file with one change; the change must hit."""
    text = (deploy_folder() / "topics.toml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "topics.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path
