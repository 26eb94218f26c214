//! A small file system in memory that can be filled up. Needs the right to mount.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small file system of its own, unmounted when dropped. `None`, said loudly, where this test may not mount; a
/// failure if `ZERFAUX_NEED_ROOT_TESTS` is set, as `tests/run` does when it runs as root.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub fn mount(mebibytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m,mode=0755"), "tmpfs"])
            .arg(directory.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            let needed = std::env::var_os("ZERFAUX_NEED_ROOT_TESTS").is_some_and(|value| !value.is_empty());
            assert!(!needed, "this machine does not let even root mount a tmpfs, which this test needs");
            eprintln!("SKIPPED: this test needs the right to mount a tmpfs (root)");
        }
        mounted.then_some(Self(directory))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn remount(&self, option: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{option}")])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Uses up all the space there is.
    pub fn fill(&self) -> PathBuf {
        let filler = self.path().join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|written| written > 0) {}
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
