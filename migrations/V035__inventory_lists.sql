-- Which network each network card is on: the port group's key, else the network's id, else its name. Rows come with
-- the next reading of their virtual machine.
CREATE TABLE inventory_nics (
    vcenter TEXT NOT NULL,
    vm      TEXT NOT NULL,
    key     INTEGER NOT NULL,
    network TEXT NOT NULL,
    PRIMARY KEY (vcenter, vm, key),
    FOREIGN KEY (vcenter, vm) REFERENCES inventory_vms (vcenter, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX inventory_nics_by_network ON inventory_nics (vcenter, network);

-- What a list filters, searches and sorts by, beside the rows, which carry everything that was read and are long.
CREATE INDEX inventory_vms_listed ON inventory_vms
    (gone_at, vcenter, template, power, host_id, cpus, memory_bytes, disk_bytes, name COLLATE NOCASE, id, guest, guest_ip, words);
