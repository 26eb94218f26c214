//! What Zerfaux does while its pages are looked at: eight transfers between simulated appliances, and readings of a
//! simulated vCenter with 10,000 VMs, one after the other.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use secrecy::SecretString;
use serde_json::json;
use zerfaux::app::Principal;
use zerfaux::app::vcenters::{Saved, VcenterWish};
use zerfaux::sim::appliance::{Appliance, ApplianceOptions, login_key};

use crate::random::Random;
use crate::served::{Visitor, binary};

/// Transfers at a time.
const TRANSFERS: u64 = 8;
/// Bytes a second of each.
const RATE: u64 = 1_500_000;
/// Readings of the inventory that wait for each other.
const READINGS: usize = 40;

/// The other side of that work. Ends when dropped.
pub struct Work {
    _appliances: [Appliance; 2],
    vcenter: Child,
    _keys: tempfile::TempDir,
}

impl Drop for Work {
    fn drop(&mut self) {
        let _gone = self.vcenter.kill();
        let _gone = self.vcenter.wait();
    }
}

impl Work {
    /// Puts the jobs into the database in `data`, enough for `seconds`. The next start of the service begins them.
    pub async fn queue(data: &Path, seconds: u64) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let (private, public) = login_key().unwrap();
        let key = keys.path().join("key");
        std::fs::write(&key, private).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let appliance = |pool: &str| {
            let pools = vec![(pool.to_owned(), 64 << 30)];
            Appliance::start(ApplianceOptions {
                pools,
                authorized_keys: Some(public.clone()),
                ..Default::default()
            })
            .unwrap()
        };
        let appliances = [appliance("src"), appliance("dst")];
        let app = zerfaux::boot::serving(data, None).await.unwrap();
        let location = |appliance: &Appliance, dataset: String| {
            json!({ "dataset": dataset, "host": { "ssh": {
                "endpoint": format!("root@{}", appliance.address()),
                "identities": [{ "file": key }], "host_keys": { "pinned": appliance.host_key_fingerprint() } } } })
        };
        let bytes = Random(7).bytes(usize::try_from((seconds + 30) * RATE).unwrap());
        for n in 0..TRANSFERS {
            appliances[0].run(&format!("zfs create src/data-{n}"));
            appliances[0].write(&format!("src/data-{n}"), "disk.vmdk", &bytes).unwrap();
            let input = json!({
                "source": location(&appliances[0], format!("src/data-{n}")),
                "destination": location(&appliances[1], format!("dst/copy-{n}")),
                "bandwidth_limit": RATE, "transport": "relay",
            });
            app.start_replication(&serde_json::from_value(input).unwrap(), "operator-1").await.unwrap();
        }
        let (vcenter, port) = vcenter();
        let mut wish = VcenterWish {
            name: "site C".to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            username: "admin".to_owned(),
            password: Some(SecretString::from("secret")),
            accepted: None,
        };
        let who = Principal::command_line();
        let first = app.vcenters().unwrap().create(&who, wish.clone()).await.unwrap();
        let Saved::Compare(shown) = first else { panic!("its certificate is not shown first") };
        wish.accepted = Some(shown.thumbprint);
        let second = app.vcenters().unwrap().create(&who, wish).await.unwrap();
        let kept = second.kept().unwrap();
        for _ in 0..READINGS {
            app.vcenters().unwrap().sync(&Principal::command_line(), kept.id).await.unwrap();
        }
        app.close().await;
        Self { _appliances: appliances, vcenter, _keys: keys }
    }

    /// How many of each kind are at work now, as the API says.
    pub async fn under_way(&self, visitor: &Visitor) -> String {
        // The first steps look at both ends; what is to be measured is the time after those.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let mut said = Vec::new();
        for kind in ["replicate", "vcenter_sync"] {
            let seen = visitor.get(&format!("/api/replication/jobs?state=running&kind={kind}&limit=1")).await;
            let list: serde_json::Value = serde_json::from_str(&seen.text).unwrap();
            said.push(format!("{} {kind}", list["total"]));
        }
        said.join(", ")
    }
}

/// In a process of its own.
fn vcenter() -> (Child, u16) {
    let mut child = Command::new(binary())
        .args([
            "sim",
            "vcenter",
            "--listen",
            "127.0.0.1:0",
            "--username",
            "admin",
            "--password",
            "secret",
            "--vms",
            "10000",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines
        .find_map(|line| line.split("https://").nth(1)?.split('/').next()?.rsplit(':').next()?.parse().ok());
    std::thread::spawn(move || lines.for_each(drop));
    (child, port.expect("it says where it listens"))
}
