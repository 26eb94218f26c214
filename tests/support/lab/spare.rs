//! A third host that cases may prepare, break and plug disks into: fresh from the image, theirs one at a time.
//!
//! It is started by the first case that asks for it and stays until `tests/lab/lab stop`, as the hosts a and b do. What a
//! case changes it puts right again before the next one has it.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::host::{LabHost, hosts, started};

/// Its name in the lab.
const NAME: &str = "d";
/// Whom the preparation script makes there.
pub const PREPARED_USER: &str = "zxprepared";
/// More than the script takes on a busy machine.
const PREPARING_SECONDS: u32 = 600;

/// The host, and how it was prepared.
#[derive(Debug)]
pub struct Spare {
    pub host: &'static LabHost,
    /// The private key whose public half the preparation script puts there.
    pub key: PathBuf,
    /// That public half.
    pub public_key: String,
    /// What the preparation script said the first time.
    prepared: Option<String>,
    /// The numbers of the disks that are plugged in.
    plugged: Mutex<Vec<String>>,
}

/// The host while a case has it.
pub struct Mine(MutexGuard<'static, Option<Spare>>);

/// The host, for one case at a time.
pub fn spare() -> Mine {
    static SPARE: Mutex<Option<Spare>> = Mutex::new(None);
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if spare.is_none() {
        *spare = Some(Spare::start());
    }
    Mine(spare)
}

impl Drop for Mine {
    /// Puts right what a case may have broken, and pulls its disks out. A host with which that cannot be done is not used
    /// again.
    fn drop(&mut self) {
        let answer = self.host.try_as("root", TIDY);
        // Pools first: one whose disk is pulled out hangs.
        let well = answer.status == 0
            && self.plugged.lock().is_ok_and(|mut all| all.drain(..).all(|one| unplug(&one)));
        if !well {
            eprintln!("host {NAME} could not be tidied, and is started anew: {}", answer.stderr);
            self.0.take();
        }
    }
}

const TIDY: &str = r#"
timeout 60 sh -c '
  systemctl -q is-enabled nfs-server.service || systemctl unmask nfs-server.service
  [ ! -e /usr/sbin/exportfs.away ] || mv /usr/sbin/exportfs.away /usr/sbin/exportfs
  systemctl start ssh.service nfs-server.service
  # What was mounted by NFS is held for a while by the server.
  zfs unshare -a; exportfs -ua; exportfs -f
  for try in 1 2 3 4 5 6 7 8; do
    for pool in $(zpool list -H -o name); do zpool destroy -f $pool || sleep 2; done
  done
  [ -z "$(zpool list -H -o name)" ] || exit 1
  # A pool that was let go of by force leaves the directories that it was mounted at.
  for left in /tank /other; do [ ! -d $left ] || find $left -xdev -depth -type d -empty -delete; done'
"#;

impl Deref for Mine {
    type Target = Spare;

    fn deref(&self) -> &Spare {
        self.0.as_ref().expect("it was started")
    }
}

impl DerefMut for Mine {
    fn deref_mut(&mut self) -> &mut Spare {
        self.0.as_mut().expect("it was started")
    }
}

impl Spare {
    fn start() -> Self {
        // One that an earlier run left behind is another run's.
        script("stop", &["--cut", "--remove", NAME]);
        script("start", &["--fresh", NAME]);
        // Goes with the host.
        let key = lab().join("hosts").join(NAME).join("prepared_key");
        let mut made = Command::new("ssh-keygen");
        made.args(["-q", "-t", "ed25519", "-N", "", "-C", "zerfaux:lab", "-f"]).arg(&key);
        assert!(made.status().expect("ssh-keygen runs").success());
        let public_key = std::fs::read_to_string(key.with_extension("pub")).expect("it was made");
        let host = Box::leak(Box::new(started(NAME)));
        Self {
            host,
            key,
            public_key: public_key.trim().to_owned(),
            prepared: None,
            plugged: Mutex::default(),
        }
    }

    /// What the preparation script says when it first runs on the fresh host; it runs once for all cases. The text is the
    /// script for [`PREPARED_USER`] and the public key.
    pub fn prepared(&mut self, text: &str) -> String {
        if let Some(said) = &self.prepared {
            return said.clone();
        }
        // The host has no way to a mirror.
        script("packages", &[NAME, "open-vm-tools"]);
        self.host.root(&format!("cat >/root/prepare.sh <<'END OF THE SCRIPT'\n{text}\nEND OF THE SCRIPT"));
        let said = self.prepare_again();
        self.prepared = Some(said.clone());
        said
    }

    /// Runs the script that is there.
    pub fn prepare_again(&self) -> String {
        self.host.root(&format!("timeout {PREPARING_SECONDS} sh /root/prepare.sh </dev/null 2>&1"))
    }

    /// Plugs a blank disk in. No serial number: the host sees none.
    pub fn plug(&self, size: &str, serial: Option<&str>) -> Disk {
        let said = script("add-disk", &[NAME, size, serial.unwrap_or("-")]);
        let said = said.trim();
        let number = said.split(" disk ").nth(1).and_then(|rest| rest.split(' ').next());
        let file = said.rsplit(": ").next().unwrap();
        let number = number.unwrap().to_owned();
        self.plugged.lock().unwrap_or_else(PoisonError::into_inner).push(number.clone());
        Disk { number, file: PathBuf::from(file) }
    }
}

/// A disk that is plugged in, until the case gives the host back.
#[derive(Debug)]
pub struct Disk {
    number: String,
    file: PathBuf,
}

impl Disk {
    /// The hash of every byte on it, with what the host has written so far.
    pub fn sha256(&self, spare: &Spare) -> String {
        spare.host.root("sync; udevadm settle -t 20");
        let output = Command::new("sha256sum").arg(&self.file).output().expect("sha256sum runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()[..64].to_owned()
    }

    /// Where the host has it now. Names are dealt out anew each time, so it is found by its place on the controller.
    pub fn path(&self, spare: &Spare) -> String {
        let named = spare.host.root(&format!(
            "udevadm settle -t 20; for disk in /sys/block/sd*; do
               case $(readlink -f $disk/device) in *:{}:0) echo /dev/${{disk##*/}} ;; esac
             done",
            self.number
        ));
        named.trim().to_owned()
    }
}

fn unplug(number: &str) -> bool {
    let (removed, said) = try_script("add-disk", &["--remove", NAME, number]);
    if !removed {
        eprintln!("{said}");
    }
    removed
}

fn script(name: &str, arguments: &[&str]) -> String {
    let (well, said) = try_script(name, arguments);
    assert!(well, "tests/lab/{name} {arguments:?}: {said}");
    said
}

/// Runs one of the lab's scripts, in the lab whose hosts these are.
fn try_script(name: &str, arguments: &[&str]) -> (bool, String) {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.extend(["tests", "lab", name]);
    let mut command = Command::new("timeout");
    command.arg("400").arg(path).args(arguments).env("ZERFAUX_LAB", lab()).stdin(Stdio::null());
    let output = command.output().expect("the lab's scripts run");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), said.concat())
}

fn lab() -> PathBuf {
    let lab = hosts().0.key.parent().and_then(std::path::Path::parent);
    lab.expect("keys lie in the lab").to_owned()
}
