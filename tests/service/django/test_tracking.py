"""Tracked models: what signals tell is published, and what has none is refused."""

from collections.abc import Callable

import pytest

from tests.support.service import Stored

pytestmark = pytest.mark.processes
Run = Callable[[str], None]


def test_each_change_is_a_snapshot_with_the_state_of_the_row(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
outbox.track(Cluster, exclude=["heartbeat"])
outbox.track(Host)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    host = Host.objects.create(cluster=cluster, name="a", serial=1)
    host.name = "ab"
    host.save()
with transaction.atomic():
    stale = Cluster.objects.get()
    Cluster.objects.filter(pk=cluster.pk).first().save()
    stale.status = "ready"
    stale.save(update_fields=["status"])
with transaction.atomic():
    cluster.delete()
""")
    clusters, hosts = stored.payloads("ClusterState"), stored.payloads("Host")
    assert [state["status"] for state in clusters] == ["new", "ready", "ready"]
    assert [state.get("deleted") for state in clusters] == [None, None, True]
    assert "heartbeat" not in clusters[0]
    assert [(state["name"], state.get("deleted")) for state in hosts] == [
        ("a", None),
        ("ab", None),
        ("ab", True),
    ]
    assert hosts[0]["serial"] == "1.00"
    assert {row["key"] for row in stored.outbox()} == {clusters[0]["id"]}


def test_what_changes_no_published_column_is_no_snapshot(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(Cluster, exclude=["heartbeat"])
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
with transaction.atomic():
    cluster.heartbeat = F("heartbeat") + 1
    cluster.save()
    cluster.heartbeat = 7
    cluster.save(update_fields=["heartbeat"])
""")
    assert stored.names() == ["ClusterState"]


def test_a_savepoint_that_rolls_back_takes_its_snapshot_along(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
outbox.track(Cluster)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    try:
        with transaction.atomic():
            cluster.name = "phantom"
            cluster.save()
            raise KeyError
    except KeyError:
        pass
""")
    assert [state["name"] for state in stored.payloads("ClusterState")] == ["north"]


def test_proxies_and_models_of_several_tables_tell_of_the_tracked_one(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
outbox.track(Cluster)
outbox.track(Host, fields=["name"])
with transaction.atomic():
    proxy = Renamed.objects.create(name="north")
    metal = BareMetalHost.objects.create(cluster=proxy, name="a", rack="1")
    metal.name = "b"
    metal.save()
    metal.delete()
    proxy.delete()
""")
    assert [state.get("deleted") for state in stored.payloads("ClusterState")] == [None, True]
    assert [(s["name"], s.get("deleted")) for s in stored.payloads("Host")] == [
        ("a", None),
        ("b", None),
        ("b", True),
    ]


def test_bulk_writes_are_refused_and_can_be_told_by_hand(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(Cluster)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    new = Cluster(name="new")
    for call in (
        lambda: Cluster.objects.update(status="x"),
        lambda: Cluster.objects.filter(name="north").update(status="x"),
        lambda: Renamed.objects.update(status="x"),
        lambda: Cluster.objects.bulk_create([new]),
        lambda: Cluster.objects.bulk_update([cluster], ["name"]),
        lambda: Cluster.objects.all()._raw_delete("default"),
    ):
        refused(UntrackedWriteError, call, "without signals", "outbox.untracked()")
    Host.objects.update(name="x")
    with outbox.untracked():
        Cluster.objects.update(status="ready")
    outbox.snapshot(connection, Cluster, str(cluster.pk), new.pk)
    Cluster.objects.all().delete()
""")
    assert [(s["status"], s.get("deleted")) for s in stored.payloads("ClusterState")] == [
        ("new", None),
        ("ready", None),
        (None, True),
        ("ready", True),
    ]


def test_a_save_outside_a_transaction_is_refused_before_it_changes_anything(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
outbox.track(Cluster)
refused(NoTransactionError, lambda: Cluster.objects.create(name="north"), "transaction.atomic()")
assert not Cluster.objects.exists()
""")
    assert stored.names() == []


def test_what_cannot_be_published_is_refused_when_it_is_tracked(run_django: Run) -> None:
    run_django("""
from django.db import models


class Shouting(models.TextField):
    def from_db_value(self, value, *_):
        return value.upper().encode()


class Blob(models.Model):
    data = models.BinaryField()

    class Meta:
        app_label = "fleet"


class Odd(models.Model):
    span = models.DurationField()
    time = models.TimeField()
    own = Shouting()
    doubled = models.GeneratedField(
        expression=F("id") * 2, output_field=models.DurationField(), db_persist=True
    )

    class Meta:
        app_label = "fleet"


class Pair(models.Model):
    pk = models.CompositePrimaryKey("a", "b")
    a = models.IntegerField()
    b = models.IntegerField()

    class Meta:
        app_label = "fleet"


for field in ("span", "time", "own", "doubled"):
    track = lambda: outbox.track(Odd, fields=[field])
    refused(EventDefinitionError, track, f"Odd.{field}", "json=")
refused(EventDefinitionError, lambda: outbox.track(Cluster, json={"nam": str}), "nam")
refused(EventDefinitionError, lambda: outbox.track(Pair), "several columns", "relay triggers")
refused(EventDefinitionError, lambda: outbox.track(Blob), "Blob.data", "exclude")
refused(EventDefinitionError, lambda: outbox.track(Host, fields=["cluster"]), "cluster_id")
refused(EventDefinitionError, lambda: outbox.track(Renamed), "no table of its own")
outbox.track(Blob, exclude=["data"])
refused(EventDefinitionError, lambda: outbox.track(Blob), "already")
""")


def test_rows_that_the_database_deletes_by_itself_cannot_be_tracked(run_django: Run) -> None:
    run_django("""
from django.db import models


class ByDatabase:
    # As those of Django 6.1.
    __call__ = models.DO_NOTHING

    def on_delete_sql(self, editor):
        pass


class Follower(models.Model):
    cluster = models.ForeignKey(Cluster, getattr(models, "DB_CASCADE", ByDatabase()))

    class Meta:
        app_label = "fleet"


refused(EventDefinitionError, lambda: outbox.track(Follower), "cluster_id", "relay triggers")
""")


def test_a_converter_makes_any_value_publishable(run_django: Run, stored: Stored) -> None:
    run_django("""
from django.db import models


class Shift(models.Model):
    length = models.DurationField(null=True)
    note = models.JSONField(null=True)

    class Meta:
        app_label = "fleet"


from datetime import timedelta
with connection.schema_editor() as editor:
    editor.create_model(Shift)
outbox.track(Shift, json={"length": timedelta.total_seconds})
with transaction.atomic():
    Shift.objects.create(length=timedelta(minutes=2))
    Shift.objects.create()
""")
    assert [state["length"] for state in stored.payloads("Shift")] == [120.0, None]


def test_what_a_deletion_writes_is_refused(run_django: Run, stored: Stored) -> None:
    run_django("""
from django.db import models


class Site(models.Model):
    class Meta:
        app_label = "fleet"


def nowhere():
    return None


class Rack(models.Model):
    site = models.ForeignKey(Site, models.SET(nowhere), null=True)
    other = models.ForeignKey(Site, models.SET_NULL, null=True, related_name="others")

    class Meta:
        app_label = "fleet"


with connection.schema_editor() as editor:
    editor.create_model(Site)
    editor.create_model(Rack)
outbox.track(Rack)
with transaction.atomic():
    for field in ("site", "other"):
        Rack.objects.create(**{field: Site.objects.create()})
for site in Site.objects.all():
    with transaction.atomic():
        refused(UntrackedWriteError, site.delete, "Rack")
""")
    assert len(stored.outbox()) == 2


def test_keys_that_differ_are_warned_of_once(run_django: Run, stored: Stored) -> None:
    run_django("""
import logging
from relay.service import key_advice

said = []
handler = logging.Handler()
handler.emit = lambda record: said.append(record.getMessage())
key_advice.log.addHandler(handler)
outbox.track(Cluster, key="name")
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    outbox.emit(connection, Told(cluster_id=cluster.id), key="north")
assert said == [], said
for order in (1, -1):
    key_advice.advised.clear()
    with transaction.atomic():
        cluster.status += "."
        emit = lambda: outbox.emit(connection, Told(cluster_id=cluster.id))
        for step in (cluster.save, emit)[::order]:
            step()
            step()
assert len(said) == 2, said
assert said[0].startswith("Snapshots ClusterState and events Told of one object"), said
""")
    assert len(stored.outbox()) == 8


def test_states_are_replayed_and_a_closed_outbox_is_silent(run_django: Run, stored: Stored) -> None:
    run_django("""
with transaction.atomic():
    for name in "abc":
        Cluster.objects.create(name=name)
outbox.track(Cluster)
pages = list(outbox.state_pages(None, None, 2))
assert [page.states for page in pages] == [2, 1]
for page in pages:
    page.publish()
outbox.close()
Cluster.objects.update(status="x")
""")
    assert [row["replayed"] for row in stored.outbox()] == [True] * 3
