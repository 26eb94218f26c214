//! Reading the inventory: lists with search, filter, order and pages; one object; where disks lie.

use rusqlite::types::{Type, Value};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

use super::Store;
use super::error::StoreError;
use super::values::{from_json, maybe_parsed, maybe_time, parsed, unreadable};
use crate::domain::hardware::PowerState;
use crate::domain::ids::VcenterId;
use crate::domain::inventory::{
    Datastore, DiskPlace, Known, Network, NfsExport, OnAppliance, Page, Place, PlaceKind, Vm, VmFilter,
    VmLine, VmSort, dataset_at,
};
use crate::domain::moref::{DatastoreRef, ManagedRef, VmRef};

impl Store {
    /// One page of the virtual machines that `filter` lets through.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vms(&self, filter: &VmFilter) -> Result<Page<VmLine>, StoreError> {
        let filter = filter.clone();
        self.read("list virtual machines", move |c| Ok(vm_page(c, &filter)?)).await
    }

    /// A virtual machine by its reference.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vm(&self, vcenter: VcenterId, vm: &VmRef) -> Result<Option<Known<Vm>>, StoreError> {
        let vm = vm.clone();
        self.read(format!("read the virtual machine {vm}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM inventory_vms WHERE vcenter = ?1 AND id = ?2")?;
            Ok(statement.query_row((vcenter.to_string(), vm.id()), known_vm).optional()?)
        })
        .await
    }

    /// The virtual machines with this instance UUID that are there, on any vCenter.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vms_by_instance_uuid(&self, uuid: &str) -> Result<Vec<Known<Vm>>, StoreError> {
        let uuid = uuid.to_owned();
        self.read(format!("find the virtual machine {uuid}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM inventory_vms WHERE instance_uuid = ?1 AND gone_at IS NULL ORDER BY vcenter, id",
            )?;
            Ok(statement.query_map([uuid], known_vm)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// A vCenter's places of one sort that are there, by name; all sorts if none is named.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn places(
        &self,
        vcenter: VcenterId,
        sort: Option<PlaceKind>,
    ) -> Result<Vec<Known<Place>>, StoreError> {
        self.read("list the places of a vCenter", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM inventory_places WHERE vcenter = ?1 AND (?2 IS NULL OR sort = ?2) \
                 AND gone_at IS NULL ORDER BY name, kind, id",
            )?;
            let sort = sort.map(PlaceKind::as_str);
            Ok(statement
                .query_map((vcenter.to_string(), sort), place_of)?
                .collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// A vCenter's datastores, by name; those that are gone too if `with_gone`.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn datastores(
        &self,
        vcenter: VcenterId,
        with_gone: bool,
    ) -> Result<Vec<Known<Datastore>>, StoreError> {
        self.read("list the datastores of a vCenter", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM inventory_datastores WHERE vcenter = ?1 AND (?2 OR gone_at IS NULL) ORDER BY name, id",
            )?;
            let rows = statement.query_map((vcenter.to_string(), with_gone), datastore_of)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// A vCenter's networks that are there, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn networks(&self, vcenter: VcenterId) -> Result<Vec<Known<Network>>, StoreError> {
        self.read("list the networks of a vCenter", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM inventory_networks WHERE vcenter = ?1 AND gone_at IS NULL ORDER BY name, kind, id",
            )?;
            Ok(statement.query_map([vcenter.to_string()], network_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Where the disks of virtual machines lie: virtual machine, disk, datastore, export, appliance and dataset. Of one
    /// virtual machine, or of all that have a disk on this export.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn disk_places(
        &self,
        vcenter: VcenterId,
        vm: Option<VmRef>,
        export: Option<NfsExport>,
    ) -> Result<Vec<DiskPlace>, StoreError> {
        self.read("look where disks lie", move |c| {
            let mut statement = c.prepare_cached(
                "SELECT d.vm, d.key, d.label, d.file, d.capacity_bytes, d.datastore, s.name AS datastore_name, \
                        s.nfs_host, s.nfs_path, t.id AS target, t.name AS target_name, t.zfs_pool AS target_pool \
                 FROM inventory_disks d \
                 JOIN inventory_vms v ON v.vcenter = d.vcenter AND v.id = d.vm AND v.gone_at IS NULL \
                 LEFT JOIN inventory_datastores s ON s.vcenter = d.vcenter AND s.id = d.datastore \
                 LEFT JOIN targets t ON t.id = coalesce( \
                     (SELECT x.id FROM targets x WHERE coalesce(x.nfs_address, x.hostname) = s.nfs_host COLLATE NOCASE \
                          AND instr(s.nfs_path || '/', '/' || x.zfs_pool || '/') = 1 \
                      ORDER BY x.is_active DESC, x.name LIMIT 1), \
                     (SELECT x.id FROM targets x WHERE coalesce(x.nfs_address, x.hostname) = s.nfs_host COLLATE NOCASE \
                      ORDER BY x.is_active DESC, x.name LIMIT 1)) \
                 WHERE d.vcenter = ?1 AND (?2 IS NULL OR d.vm = ?2) \
                   AND (?3 IS NULL OR d.vm IN ( \
                       SELECT x.vm FROM inventory_datastores e \
                       JOIN inventory_disks x ON x.vcenter = e.vcenter AND x.datastore = e.id \
                       WHERE e.vcenter = ?1 AND e.nfs_host = ?3 AND e.nfs_path = ?4)) \
                 ORDER BY d.vm, d.key",
            )?;
            let rows = statement.query_map(
                (
                    vcenter.to_string(),
                    vm.as_ref().map(VmRef::id),
                    export.as_ref().map(|one| &one.host),
                    export.as_ref().map(|one| &one.path),
                ),
                disk_place_of,
            )?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn vm_page(c: &Connection, filter: &VmFilter) -> rusqlite::Result<Page<VmLine>> {
    let (mut clauses, mut values) = (vec!["1".to_owned()], Vec::<Value>::new());
    let mut add = |clause: &str, value: Value| {
        values.push(value);
        clauses.push(clause.replace("?#", &format!("?{}", values.len())));
    };
    if let Some(vcenter) = filter.vcenter {
        add("v.vcenter = ?#", vcenter.to_string().into());
    }
    if let Some(search) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        add("instr(v.words, ?#) > 0", search.to_lowercase().into());
    }
    if let Some(power) = filter.power {
        add("v.power = ?#", power.as_str().to_owned().into());
    }
    if let Some(template) = filter.template {
        add("v.template = ?#", i64::from(template).into());
    }
    if let Some(datastore) = &filter.datastore {
        add(
            "EXISTS (SELECT 1 FROM inventory_disks d WHERE d.vcenter = v.vcenter AND d.vm = v.id AND d.datastore = ?#)",
            datastore.id().to_owned().into(),
        );
    }
    if let Some(place) = &filter.place {
        add("(v.host_id = ?# OR h.parent_id = ?#)", place.id.clone().into());
    }
    if let Some(network) = &filter.network {
        add(
            "(v.vcenter, v.id) IN (SELECT n.vcenter, n.vm FROM inventory_networks w CROSS JOIN inventory_nics n \
                ON n.vcenter = w.vcenter AND n.network IN (w.portgroup_key, w.id, w.name) WHERE w.id = ?#)",
            network.clone().into(),
        );
    }
    if filter.only_gone {
        clauses.push("v.gone_at IS NOT NULL".to_owned());
    } else if !filter.with_gone {
        clauses.push("v.gone_at IS NULL".to_owned());
    }
    let from = format!(
        "FROM inventory_vms v \
         LEFT JOIN inventory_places h ON h.vcenter = v.vcenter AND h.kind = 'HostSystem' AND h.id = v.host_id \
         WHERE {}",
        clauses.join(" AND ")
    );
    let total: i64 = c
        .prepare_cached(&format!("SELECT count(*) {from}"))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    let column = match filter.sort {
        VmSort::Name => "v.name COLLATE NOCASE",
        VmSort::Power => "v.power",
        VmSort::Cpus => "v.cpus",
        VmSort::Memory => "v.memory_bytes",
        VmSort::DiskBytes => "v.disk_bytes",
        VmSort::Guest => "v.guest",
        VmSort::GuestIp => "v.guest_ip",
    };
    let direction = if filter.descending { "DESC" } else { "ASC" };
    let order = format!("{column} {direction}, v.name COLLATE NOCASE {direction}, v.vcenter, v.id");
    // First which rows, from an index alone; then what is shown of those few.
    let sql = format!(
        "WITH page AS (SELECT v.vcenter, v.id {from} ORDER BY {order} LIMIT {} OFFSET {}) \
         SELECT v.vcenter, v.id, v.name, v.template, v.power, v.guest, v.guest_ip, v.cpus, v.memory_bytes, \
            v.disk_bytes, v.has_snapshot, v.gone_at, h.name AS host_name, \
            (SELECT p.name FROM inventory_places p WHERE p.vcenter = v.vcenter AND p.kind = h.parent_kind \
                AND p.id = h.parent_id AND p.sort = 'cluster') AS cluster_name, \
            (SELECT json_group_array(name) FROM (SELECT DISTINCT s.name FROM inventory_disks d \
                JOIN inventory_datastores s ON s.vcenter = d.vcenter AND s.id = d.datastore \
                WHERE d.vcenter = v.vcenter AND d.vm = v.id ORDER BY s.name)) AS datastore_names \
         FROM page CROSS JOIN inventory_vms v ON v.vcenter = page.vcenter AND v.id = page.id \
         LEFT JOIN inventory_places h ON h.vcenter = v.vcenter AND h.kind = 'HostSystem' AND h.id = v.host_id \
         ORDER BY {order}",
        filter.limit, filter.offset
    );
    let mut statement = c.prepare_cached(&sql)?;
    let items = statement.query_map(params_from_iter(&values), line_of)?.collect::<rusqlite::Result<_>>()?;
    Ok(Page { items, total: unsigned(total) })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get(column).map(unsigned)
}

fn reference(row: &Row<'_>, kind: &str, id: &str) -> rusqlite::Result<Option<ManagedRef>> {
    let (kind, id): (Option<String>, Option<String>) = (row.get(kind)?, row.get(id)?);
    Ok(kind.zip(id).map(|(kind, id)| ManagedRef { kind, id }))
}

fn export_of(row: &Row<'_>) -> rusqlite::Result<Option<NfsExport>> {
    let (host, path): (Option<String>, Option<String>) = (row.get("nfs_host")?, row.get("nfs_path")?);
    Ok(host.zip(path).map(|(host, path)| NfsExport { host, path }))
}

fn known<T>(row: &Row<'_>, object: T) -> rusqlite::Result<Known<T>> {
    Ok(Known { vcenter: parsed(row, "vcenter")?, gone_at: maybe_time(row, "gone_at")?, object })
}

fn known_vm(row: &Row<'_>) -> rusqlite::Result<Known<Vm>> {
    known(row, from_json(row, "whole")?)
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<VmLine> {
    let power: String = row.get("power")?;
    Ok(VmLine {
        vcenter: parsed(row, "vcenter")?,
        object: VmRef::new(row.get::<_, String>("id")?),
        name: row.get("name")?,
        template: row.get("template")?,
        power: PowerState::parse(&power),
        guest: row.get("guest")?,
        guest_ip: row.get("guest_ip")?,
        cpus: row.get("cpus")?,
        memory_bytes: bytes(row, "memory_bytes")?,
        disk_bytes: bytes(row, "disk_bytes")?,
        host: row.get("host_name")?,
        cluster: row.get("cluster_name")?,
        datastores: from_json(row, "datastore_names")?,
        has_snapshot: row.get("has_snapshot")?,
        gone_at: maybe_time(row, "gone_at")?,
    })
}

fn place_of(row: &Row<'_>) -> rusqlite::Result<Known<Place>> {
    let sort: String = row.get("sort")?;
    let kind =
        PlaceKind::parse(&sort).ok_or_else(|| unreadable(Type::Text, format!("{sort:?} is no place")))?;
    let place = Place {
        object: ManagedRef { kind: row.get("kind")?, id: row.get("id")? },
        kind,
        name: row.get("name")?,
        parent: reference(row, "parent_kind", "parent_id")?,
        facts: from_json(row, "facts")?,
    };
    known(row, place)
}

fn datastore_of(row: &Row<'_>) -> rusqlite::Result<Known<Datastore>> {
    let datastore = Datastore {
        object: DatastoreRef::new(row.get::<_, String>("id")?),
        name: row.get("name")?,
        parent: reference(row, "parent_kind", "parent_id")?,
        kind: row.get("kind")?,
        capacity_bytes: bytes(row, "capacity_bytes")?,
        free_bytes: bytes(row, "free_bytes")?,
        accessible: row.get("accessible")?,
        nfs: export_of(row)?,
        hosts: from_json(row, "hosts")?,
    };
    known(row, datastore)
}

fn network_of(row: &Row<'_>) -> rusqlite::Result<Known<Network>> {
    let network = Network {
        object: ManagedRef { kind: row.get("kind")?, id: row.get("id")? },
        name: row.get("name")?,
        parent: reference(row, "parent_kind", "parent_id")?,
        vlan: row.get("vlan")?,
        portgroup_key: row.get("portgroup_key")?,
        switch: reference(row, "switch_kind", "switch_id")?,
    };
    known(row, network)
}

fn disk_place_of(row: &Row<'_>) -> rusqlite::Result<DiskPlace> {
    Ok(DiskPlace {
        vm: VmRef::new(row.get::<_, String>("vm")?),
        disk: row.get("key")?,
        label: row.get("label")?,
        file: row.get("file")?,
        capacity_bytes: bytes(row, "capacity_bytes")?,
        datastore: row.get::<_, Option<String>>("datastore")?.map(DatastoreRef::new),
        datastore_name: row.get("datastore_name")?,
        nfs: export_of(row)?,
        appliance: on_appliance(row)?,
    })
}

fn on_appliance(row: &Row<'_>) -> rusqlite::Result<Option<OnAppliance>> {
    let (Some(target), Some(path)) =
        (maybe_parsed(row, "target")?, row.get::<_, Option<String>>("nfs_path")?)
    else {
        return Ok(None);
    };
    let pool: String = row.get("target_pool")?;
    let name = row.get("target_name")?;
    Ok(Some(OnAppliance { target, name, dataset: dataset_at(&pool, &path) }))
}
