"""Drives a simulated vCenter through pyVmomi: what an independent client understands, ours may rely on.

Usage: drive.py URL USER PASSWORD. Prints one line per story; exits with 0 only if all hold.
"""

import ssl
import sys
import time
from urllib.parse import urlparse

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

PC = vmodl.query.PropertyCollector


def connect(url, user, password):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parsed = urlparse(url)
    return SmartConnect(host=parsed.hostname, port=parsed.port, user=user, pwd=password, sslContext=context)


def wait(task, seconds=60):
    until = time.monotonic() + seconds
    while task.info.state not in ("success", "error"):
        assert time.monotonic() < until, f"{task.info.name} did not end"
        time.sleep(0.02)
    if task.info.state == "error":
        raise task.info.error
    return task.info.result


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def refused(fault, call):
    try:
        call()
    except fault as found:
        return found
    raise AssertionError(f"{fault.__name__} did not come")


def view_spec(content, kind, paths):
    view = content.viewManager.CreateContainerView(content.rootFolder, [kind], True)
    walk = PC.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    start = PC.ObjectSpec(obj=view, skip=True, selectSet=[walk])
    return PC.FilterSpec(objectSet=[start], propSet=[PC.PropertySpec(type=kind, pathSet=paths)])


def read(content, kind, paths, page=None):
    spec = view_spec(content, kind, paths)
    result = content.propertyCollector.RetrievePropertiesEx([spec], PC.RetrieveOptions(maxObjects=page))
    objects, pages = [], 0
    while result:
        pages += 1
        objects += result.objects
        token = result.token
        result = content.propertyCollector.ContinueRetrievePropertiesEx(token) if token else None
    return {entry.obj: {p.name: p.val for p in entry.propSet} for entry in objects}, pages


def by_name(content, kind, name):
    for obj, values in read(content, kind, ["name"])[0].items():
        if values["name"] == name:
            return obj
    raise AssertionError(f"there is no {kind.__name__} {name}")


def story_login(url, user, password):
    refused(vim.fault.InvalidLogin, lambda: connect(url, user, "wrong"))
    si = connect(url, user, password)
    session = si.content.sessionManager.currentSession
    assert si.content.sessionManager.SessionIsActive(session.key, session.userName)
    si.content.sessionManager.Logout()
    refused(vim.fault.NotAuthenticated, lambda: si.content.rootFolder.name)


def story_properties(content):
    for kind in (vim.Datacenter, vim.ClusterComputeResource, vim.HostSystem, vim.ResourcePool, vim.Datastore, vim.Network,
                 vim.dvs.VmwareDistributedVirtualSwitch, vim.Folder):
        assert read(content, kind, ["name", "parent"])[0], kind
    vms, pages = read(content, vim.VirtualMachine, ["name", "config", "runtime", "guest", "summary", "layoutEx", "datastore", "network"], 7)
    assert pages == (len(vms) + 6) // 7, (pages, len(vms))
    for values in vms.values():
        disks = [d for d in values["config"].hardware.device if isinstance(d, vim.vm.device.VirtualDisk)]
        assert disks and all(d.backing.fileName.endswith(".vmdk") for d in disks)
        assert values["summary"].config.numVirtualDisks == len(disks)
    refused(vmodl.query.InvalidProperty, lambda: read(content, vim.VirtualMachine, ["config.nonsense"]))
    for ds, values in read(content, vim.Datastore, ["info", "summary"])[0].items():
        if values["summary"].type == "NFS":
            assert values["info"].nas.remoteHost and values["info"].nas.remotePath.startswith("/")
    group = by_name(content, vim.dvs.DistributedVirtualPortgroup, "Servers (VLAN 110)")
    assert group.config.defaultPortConfig.vlan.vlanId == 110
    host = list(read(content, vim.HostSystem, ["name"])[0])[0]
    limit = host.configManager.advancedOption.QueryOptions("NFS.MaxVolumes")
    assert limit[0].value == 64, limit


def story_clone_customise_power(content):
    template = by_name(content, vim.VirtualMachine, "debian-12-zfs")
    folder = template.parent
    pool = by_name(content, vim.ResourcePool, "Recovery")
    ip = vim.vm.customization.FixedIp(ipAddress="10.99.0.7")
    adapter = vim.vm.customization.IPSettings(ip=ip, subnetMask="255.255.255.0", gateway=["10.99.0.1"])
    spec = vim.vm.customization.Specification(
        identity=vim.vm.customization.LinuxPrep(hostName=vim.vm.customization.FixedName(name="zfs-dr"), domain="local"),
        globalIPSettings=vim.vm.customization.GlobalIPSettings(dnsServerList=["10.99.0.2"]),
        nicSettingMap=[vim.vm.customization.AdapterMapping(adapter=adapter)],
    )
    clone = vim.vm.CloneSpec(location=vim.vm.RelocateSpec(pool=pool), template=False, powerOn=False, customization=spec)
    vm = wait(template.CloneVM_Task(folder, "py-zfs", clone))
    twice = refused(vim.fault.DuplicateName, lambda: wait(template.CloneVM_Task(folder, "py-zfs", clone)))
    assert twice.name == "py-zfs"
    assert vm.config.uuid != template.config.uuid and vm.config.instanceUuid != template.config.instanceUuid

    controller = next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualSCSIController))
    disk = vim.vm.device.VirtualDisk(key=-1, controllerKey=controller.key, capacityInKB=500 << 20)
    disk.backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName="", diskMode="persistent", thinProvisioned=True)
    add = vim.vm.device.VirtualDeviceSpec(operation="add", fileOperation="create", device=disk)
    config = vim.vm.ConfigSpec(numCPUs=4, memoryMB=6144, deviceChange=[add])
    config.extraConfig = [vim.option.OptionValue(key="guestinfo.nonce", value="42")]
    wait(vm.ReconfigVM_Task(config))
    disks = [d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk)]
    assert [d.capacityInKB for d in disks][-1] == 500 << 20 and len({d.unitNumber for d in disks}) == len(disks)
    assert vm.config.hardware.numCPU == 4
    assert any(o.key == "guestinfo.nonce" and o.value == "42" for o in vm.config.extraConfig)

    wait(vm.PowerOnVM_Task())
    state = refused(vim.fault.InvalidPowerState, lambda: wait(vm.PowerOnVM_Task()))
    assert state.existingState == "poweredOn"
    until("the fixed address", lambda: vm.guest.ipAddress == "10.99.0.7")
    assert vm.guest.hostName == "zfs-dr" and vm.guest.toolsRunningStatus == "guestToolsRunning"
    vm.ShutdownGuest()
    until("off", lambda: vm.runtime.powerState == "poweredOff")
    wait(vm.Destroy_Task())
    refused(vmodl.fault.ManagedObjectNotFound, lambda: vm.name)


def story_relocate_and_snapshots(content):
    vm = by_name(content, vim.VirtualMachine, "web01")
    target = by_name(content, vim.Datastore, "san-alpha-01")
    if vm.datastore[0] == target:
        target = by_name(content, vim.Datastore, "nfs-alpha-01")
    uuid = vm.config.instanceUuid
    task = vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=target))
    wait(task)
    assert list(vm.datastore) == [target] and vm.config.instanceUuid == uuid
    disk = next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.fileName.startswith(f"[{target.name}] "), disk.backing.fileName

    base = disk.backing.fileName
    snapshot = wait(vm.CreateSnapshot_Task("zx", "made by a test", False, True))
    assert vm.snapshot.rootSnapshotList[0].quiesced and vm.snapshot.currentSnapshot == snapshot
    disk = next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.parent.fileName == base and disk.backing.fileName != base
    wait(snapshot.RemoveSnapshot_Task(removeChildren=False))
    assert vm.snapshot is None
    disk = next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualDisk))
    assert disk.backing.fileName == base


def story_nas_datastore(content):
    hosts = list(read(content, vim.HostSystem, ["name"])[0])[:2]
    spec = vim.host.NasVolume.Specification(
        remoteHost="10.9.9.9", remotePath="/tank/dr", localPath="py-nas", accessMode="readWrite", type="NFS")
    stores = [h.configManager.datastoreSystem.CreateNasDatastore(spec) for h in hosts]
    assert stores[0] == stores[1] and len(stores[0].host) == 2
    refused(vim.fault.AlreadyExists, lambda: hosts[0].configManager.datastoreSystem.CreateNasDatastore(spec))
    other = vim.host.NasVolume.Specification(
        remoteHost="10.9.9.9", remotePath="/tank/other", localPath="py-nas", accessMode="readWrite", type="NFS")
    refused(vim.fault.DuplicateName, lambda: hosts[0].configManager.datastoreSystem.CreateNasDatastore(other))
    datacenter = list(read(content, vim.Datacenter, ["name"])[0])[0]
    content.fileManager.MakeDirectory("[py-nas] a/b", datacenter, True)
    found = wait(stores[0].browser.SearchDatastore_Task("[py-nas] a"))
    assert [f.path for f in found.file] == ["b"], found
    found = wait(stores[0].browser.SearchDatastoreSubFolders_Task("[py-nas]"))
    assert [f.folderPath for f in found] == ["[py-nas]", "[py-nas] a/", "[py-nas] a/b/"], [f.folderPath for f in found]
    refused(vim.fault.FileNotFound, lambda: wait(stores[0].browser.SearchDatastore_Task("[py-nas] nowhere")))
    wait(content.fileManager.DeleteDatastoreFile_Task("[py-nas] a", datacenter))

    vm = by_name(content, vim.VirtualMachine, "app01")
    controller = next(d for d in vm.config.hardware.device if isinstance(d, vim.vm.device.VirtualSCSIController))
    disk = vim.vm.device.VirtualDisk(key=-1, controllerKey=controller.key, unitNumber=5, capacityInKB=0)
    disk.backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName="[py-nas] gone/gone.vmdk", diskMode="persistent")
    attach = vim.vm.ConfigSpec(deviceChange=[vim.vm.device.VirtualDeviceSpec(operation="add", device=disk)])
    fault = refused(vim.fault.FileNotFound, lambda: wait(vm.ReconfigVM_Task(attach)))
    assert fault.file == "[py-nas] gone/gone.vmdk", fault.file
    for h in hosts:
        h.configManager.datastoreSystem.RemoveDatastore(stores[0])
    refused(vmodl.fault.ManagedObjectNotFound, lambda: stores[0].name)


def story_updates(content):
    collector = content.propertyCollector
    filter_ = collector.CreateFilter(view_spec(content, vim.VirtualMachine, ["name", "runtime.powerState"]), False)
    known, version, truncated = {}, "", 0

    def take(options):
        nonlocal version, truncated
        found = collector.WaitForUpdatesEx(version, options)
        if found is None:
            return []
        version, truncated = found.version, truncated + bool(found.truncated)
        return [update for fs in found.filterSet for update in fs.objectSet] + (take(options) if found.truncated else [])

    for update in take(PC.WaitOptions(maxWaitSeconds=1, maxObjectUpdates=5)):
        assert update.kind == "enter"
        known[update.obj] = {c.name: c.val for c in update.changeSet}
    assert truncated > 2 and len(known) == len(read(content, vim.VirtualMachine, ["name"])[0])
    assert collector.WaitForUpdatesEx(version, PC.WaitOptions(maxWaitSeconds=0)) is None

    vm = next(vm for vm, values in known.items() if values["name"] == "proxy01")
    began = time.monotonic()
    wait(vm.Rename_Task("proxy-renamed"))
    changes = take(PC.WaitOptions(maxWaitSeconds=5))
    assert [(u.kind, u.obj, [(c.name, c.val) for c in u.changeSet]) for u in changes] == [
        ("modify", vm, [("name", "proxy-renamed")])], changes
    assert time.monotonic() - began < 5
    folder = vm.parent
    empty = folder.CreateVM_Task(vim.vm.ConfigSpec(
        name="py-new", files=vim.vm.FileInfo(vmPathName="[san-alpha-01]"), guestId="debian12_64Guest"), vm.resourcePool)
    made = wait(empty)
    assert [(u.kind, u.obj) for u in take(PC.WaitOptions(maxWaitSeconds=5))] == [("enter", made)]
    wait(made.Destroy_Task())
    assert [(u.kind, u.obj) for u in take(PC.WaitOptions(maxWaitSeconds=5))] == [("leave", made)]
    wait(vm.Rename_Task("proxy01"))
    filter_.DestroyPropertyFilter()
    refused(vmodl.query.InvalidCollectorVersion, lambda: collector.CheckForUpdates("99999"))


def story_register(content):
    vm = by_name(content, vim.VirtualMachine, "print01")
    if vm.runtime.powerState == "poweredOn":
        wait(vm.PowerOffVM_Task())
    path, folder, pool, name = vm.config.files.vmPathName, vm.parent, vm.resourcePool, vm.name
    disks = [(d.key, d.backing.fileName, d.capacityInKB) for d in vm.config.hardware.device
             if isinstance(d, vim.vm.device.VirtualDisk)]
    uuid = vm.config.uuid
    vm.UnregisterVM()
    again = wait(folder.RegisterVM_Task(path, None, False, pool, None))
    assert (again.name, again.config.uuid) == (name, uuid)
    assert disks == [(d.key, d.backing.fileName, d.capacityInKB) for d in again.config.hardware.device
                     if isinstance(d, vim.vm.device.VirtualDisk)]
    assert content.searchIndex.FindByUuid(None, uuid, True, False) == again


def main():
    url, user, password = sys.argv[1:4]
    story_login(url, user, password)
    print("story_login holds", flush=True)
    si = connect(url, user, password)
    content = si.RetrieveContent()
    failed = 0
    for story in (story_properties, story_clone_customise_power, story_relocate_and_snapshots, story_nas_datastore,
                  story_updates, story_register):
        try:
            story(content)
            print(f"{story.__name__} holds", flush=True)
        except Exception as error:  # every story is told, whatever the others do
            failed += 1
            print(f"{story.__name__} FAILED: {error!r}", flush=True)
            if "-v" in sys.argv:
                raise
    Disconnect(si)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
