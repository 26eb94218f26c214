//! Servers that speak vSphere's API, for tests: each one fresh, on a port of its own, gone with the test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use secrecy::SecretString;
use zerfaux::domain::vcenter::{Trust, VcenterAddress};
use zerfaux::vsphere::{Client, Login, fetch_certificate};

/// What a server can do beyond what both can.
#[derive(Debug, Clone, Copy)]
pub struct Can {
    /// Power on and customise as part of cloning.
    pub clone_in_one: bool,
    /// Refuse a second virtual machine of one name.
    pub duplicate_names: bool,
    /// Give each clone disks of its own in what it reports.
    pub disk_paths: bool,
    /// Forget an option that is set to nothing.
    pub delete_options: bool,
}

/// A running server and how to log in.
pub struct Server {
    child: Child,
    pub address: VcenterAddress,
    pub username: String,
    pub password: String,
    pub can: Can,
}

impl Drop for Server {
    fn drop(&mut self) {
        // By SIGTERM, so that it takes its temporary directories along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    /// vcsim with these options beside the usual ones.
    pub fn vcsim(options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = Command::new(root.join("tests/vcsim/build")).stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "tests/vcsim/build did not work");
        let binary = String::from_utf8(built.stdout).unwrap();
        let can =
            Can { clone_in_one: false, duplicate_names: false, disk_paths: false, delete_options: false };
        Self::start(Command::new(binary.trim()).args(options), "admin", "secret", can)
    }

    /// The simulator in our own binary; ZERFAUX_BINARY names another one.
    pub fn our_own(options: &[&str]) -> Self {
        let binary =
            std::env::var("ZERFAUX_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_zerfaux").to_owned());
        let can = Can { clone_in_one: true, duplicate_names: true, disk_paths: true, delete_options: true };
        let mut command = Command::new(binary);
        command.args([
            "sim",
            "vcenter",
            "--listen",
            "127.0.0.1:0",
            "--username",
            "admin",
            "--password",
            "secret",
        ]);
        Self::start(command.args(options), "admin", "secret", can)
    }

    fn start(command: &mut Command, username: &str, password: &str, can: Can) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map(Result::unwrap).find_map(|line| {
            line.split("https://").nth(1)?.split('/').next()?.rsplit(':').next()?.parse().ok()
        });
        let port = port.expect("the server ended before it said where it listens");
        // What it goes on to say must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = VcenterAddress::new("127.0.0.1", port).unwrap();
        Self { child, address, username: username.to_owned(), password: password.to_owned(), can }
    }

    /// How to log in, having accepted the certificate that it shows now.
    pub async fn login(&self) -> Login {
        let certificate = fetch_certificate(&self.address).await.unwrap();
        Login {
            address: self.address.clone(),
            trust: Trust::Pinned(certificate.thumbprint),
            username: self.username.clone(),
            password: SecretString::from(self.password.clone()),
        }
    }

    /// A client that is logged in.
    pub async fn client(&self) -> Client {
        Client::connect(self.login().await).await.unwrap()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server at once and for good.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Calls one of vcsim's controls for tests.
    pub fn control(&self, path: &str) {
        let url = format!("https://127.0.0.1:{}/test/{path}", self.address.port);
        let done = Command::new("curl").args(["-sk", &url]).status().unwrap();
        assert!(done.success(), "{url}");
    }
}
