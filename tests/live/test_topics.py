"""`tongban topics` on a real broker: makes what is missing, alters nothing, tells every difference."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from typer.testing import CliRunner, Result

from tests.fixtures_kafka import delete_topics, renew_topics
from tests.loops import run
from tongban_sandbox.commands_topics import topics_app
from tongban_shared.ids import Province
from tongban_shared.provinces import deploy_folder

pytestmark = pytest.mark.live
PROVINCE = Province("65")
TOPIC = "tongban.v1.common.65"


@pytest.fixture
def folder(tmp_path: Path, kafka_bootstrap: str) -> Iterator[Path]:
    """Province files of one province; its topics are as wanted before and after."""
    source = deploy_folder()
    shutil.copy(source / "defaults.toml", tmp_path)
    provinces = tmp_path / "provinces"
    provinces.mkdir()
    shutil.copy(source / "provinces" / f"{PROVINCE}.toml", provinces)
    yield provinces
    run(renew_topics(kafka_bootstrap, [PROVINCE]))


def test_create_makes_what_is_missing_and_no_more(kafka_bootstrap: str, folder: Path) -> None:
    """The first run makes the one topic that is gone, the second none, and all are as wanted."""
    run(delete_topics(kafka_bootstrap, [TOPIC]))
    checked = topics("check", kafka_bootstrap, folder)
    assert (checked.exit_code, f"{TOPIC}: is missing" in checked.output) == (1, True)
    assert "1 topics made, 3 were there" in topics("create", kafka_bootstrap, folder).output
    again = topics("create", kafka_bootstrap, folder)
    assert (again.exit_code, "0 topics made, 4 were there" in again.output) == (0, True)
    assert topics("check", kafka_bootstrap, folder).exit_code == 0


def test_check_tells_a_setting_that_was_changed(kafka_bootstrap: str, folder: Path) -> None:
    """A live setting that differs is told with both values; create tells it too and leaves it alone."""
    run(alter(kafka_bootstrap, TOPIC, {"retention.ms": "3600000"}))
    for command in ("check", "create", "check"):
        told = topics(command, kafka_bootstrap, folder)
        assert told.exit_code == 1
        assert "retention.ms is 3600000, want 7776000000" in told.output


def test_one_replica_is_no_substitute_for_three(kafka_bootstrap: str, folder: Path) -> None:
    """Without the flag, topics of one replica are told; on a cluster of one, new ones are refused."""
    told = topics("check", kafka_bootstrap, folder, single_broker=False)
    assert (told.exit_code, "1 replicas, want 3" in told.output) == (1, True)
    run(delete_topics(kafka_bootstrap, [TOPIC]))
    refused = topics("create", kafka_bootstrap, folder, single_broker=False)
    assert (refused.exit_code, "--single-broker" in refused.output) == (1, True)


def test_a_cluster_that_is_away_is_told(folder: Path) -> None:
    """One line, exit code 1, no traceback."""
    told = topics("check", "127.0.0.1:1", folder)
    assert (told.exit_code, told.output.count("\n")) == (1, 1)
    assert "127.0.0.1:1" in told.output


def topics(command: str, bootstrap: str, folder: Path, *, single_broker: bool = True) -> Result:
    """Run `tongban topics`."""
    flags = ["--single-broker"] if single_broker else []
    arguments = [command, "--bootstrap", bootstrap, "--provinces-folder", str(folder), *flags]
    return CliRunner().invoke(topics_app, arguments)


async def alter(bootstrap: str, topic: str, settings: dict[str, str]) -> None:
    """Set settings of one topic; those not named fall back to the broker's."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, settings)])
    await admin.close()
