"""Models over several tables: a write on any of them concerns what is tracked of the others."""

from collections.abc import Callable

import pytest

from tests.support.service import Stored

pytestmark = pytest.mark.processes
Run = Callable[[str], None]


def test_a_parent_that_is_saved_tells_of_the_tracked_child(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(BareMetalHost, fields=["name", "rack"])
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    metal = BareMetalHost.objects.create(cluster=cluster, name="a", rack="1")
    other = Host.objects.create(cluster=cluster, name="alone")
with transaction.atomic():
    parent = Host.objects.get(pk=metal.pk)
    parent.serial = 7
    parent.save()
    parent.name = "b"
    parent.save()
    other.name = "still alone"
    other.save()
""")
    states = stored.payloads("BareMetalHost")
    assert [(state["name"], state["rack"]) for state in states] == [("a", "1"), ("b", "1")]


def test_any_of_several_parents_tells_of_the_child(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(Switch, fields=["name", "port"])
outbox.track(Router, fields=["port"])
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    Device.objects.create()
    Device.objects.create()
    switch = Switch.objects.create(cluster=cluster, name="a")
    router = Router.objects.create(cluster=cluster, name="b")
    assert switch.pk != switch.device and router.pk != router.device
for device in (switch.device, router.device):
    with transaction.atomic():
        parent = Device.objects.get(pk=device)
        parent.port = 7
        parent.save()
    with transaction.atomic():
        parent.port = 8
        parent.save(update_fields=["port"])
with transaction.atomic():
    # The key of a switch, and of a device that is none.
    other = Device.objects.get(pk=switch.pk)
    other.port = 9
    other.save()
    new = Device.objects.create()
""")
    switches = [(state["name"], state["port"]) for state in stored.payloads("Switch")]
    assert switches == [("a", 0), ("b", 0), ("a", 7), ("a", 8), ("b", 7), ("b", 8)]
    assert [state["port"] for state in stored.payloads("Router")] == [0, 7, 8]


def test_a_child_tells_of_each_of_its_parents(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(Host, fields=["name"])
outbox.track(Device)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    Device.objects.create()
    device = Device.objects.create()
    host = Host.objects.create(cluster=cluster, name="a")
with transaction.atomic():
    Switch(cluster=cluster, name="b", host_ptr=host, device_ptr=device, port=5).save()
with transaction.atomic():
    router = Router.objects.create(cluster=cluster, name="c", port=6)
    router.port = 7
    router.save()
    router.delete()
""")
    devices = [
        (state["device"], state["port"], "deleted" in state) for state in stored.payloads("Device")
    ]
    assert devices == [
        (1, 0, False),
        (2, 0, False),
        (2, 5, False),
        (3, 6, False),
        (3, 7, False),
        (3, 7, True),
    ]
    assert [state["name"] for state in stored.payloads("Host")] == ["a", "b", "c", "c"]


def test_bulk_writes_are_refused_by_the_columns_they_write(run_django: Run, stored: Stored) -> None:
    run_django("""
outbox.track(Host)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    metal = BareMetalHost.objects.create(cluster=cluster, name="a", rack="1")
    metal.name = metal.rack = "b"
    for call in (
        lambda: BareMetalHost.objects.update(name="b"),
        lambda: BareMetalHost.objects.update(name="b", rack="b"),
        lambda: BareMetalHost.objects.bulk_update([metal], ["name"]),
        lambda: Host.objects.update(name="b"),
    ):
        refused(UntrackedWriteError, call, "without signals")
    BareMetalHost.objects.update(rack="2")
    BareMetalHost.objects.bulk_update([metal], ["rack"])
""")
    assert [state["name"] for state in stored.payloads("Host")] == ["a"]


def test_bulk_writes_of_a_parent_are_refused_where_a_child_is_tracked(
    run_django: Run, stored: Stored
) -> None:
    run_django("""
outbox.track(BareMetalHost)
with transaction.atomic():
    cluster = Cluster.objects.create(name="north")
    metal = BareMetalHost.objects.create(cluster=cluster, name="a", rack="1")
    refused(UntrackedWriteError, lambda: Host.objects.update(name="b"), "writes BareMetalHost")
    refused(UntrackedWriteError, lambda: BareMetalHost.objects.update(rack="b"))
    Host.objects.bulk_create([Host(cluster=cluster, name="new")])
    conflict = {"update_conflicts": True, "update_fields": ["name"], "unique_fields": ["id"]}
    new = Host(id=metal.pk, cluster=cluster, name="c")
    refused(UntrackedWriteError, lambda: Host.objects.bulk_create([new], **conflict))
""")
    assert [state["name"] for state in stored.payloads("BareMetalHost")] == ["a"]
