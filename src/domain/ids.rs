//! Identifiers. Each kind has its own type, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. UUIDv7 (RFC 9562), so ids sort by the time they were made.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id with these sixteen bytes, for ids that are derived rather than drawn.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map(Self)
            }
        }
    };
}

uuid_id!(
    /// One run of one job.
    JobId
);
uuid_id!(
    /// A protection group, or the pair of datasets that `zerfaux replicate` keeps in step.
    GroupId
);
uuid_id!(
    /// A row of sealed secrets.
    SecretId
);
uuid_id!(
    /// A person who signs in.
    UserId
);
uuid_id!(
    /// One signed-in browser.
    SessionId
);
uuid_id!(
    /// A bearer token of a program.
    TokenId
);
uuid_id!(
    /// An SSH key that Zerfaux logs in with.
    SshKeyId
);
uuid_id!(
    /// A schedule that makes jobs.
    ScheduleId
);
uuid_id!(
    /// One installation of Zerfaux, as the appliances know it.
    InstallationId
);

uuid_id!(
    /// A connection to a vCenter or to a single ESXi host.
    VcenterId
);
uuid_id!(
    /// A connection that is being made, while a person compares its certificate.
    VcenterDraftId
);
uuid_id!(
    /// An appliance: a host with OpenZFS that is reached over SSH. The API calls it a target.
    TargetId
);
uuid_id!(
    /// A template from which appliances are deployed.
    TemplateId
);
uuid_id!(
    /// What somebody has filled in of a wizard.
    DraftId
);
uuid_id!(
    /// A virtual machine that stands ready at the DR site.
    DrShellId
);

uuid_id!(
    /// One recovery of a group: a test, a failover.
    RecoveryRunId
);

uuid_id!(
    /// A virtual machine that a protection group protects.
    ProtectedVmId
);

impl GroupId {
    /// Eight hexadecimal digits for names that people read: the id's last four bytes, because the
    /// first ones of a UUIDv7 are its time and look alike for groups made on one day.
    pub fn short(&self) -> String {
        self.as_bytes()[12..].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = JobId::new();
        assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
    }

    #[test]
    fn the_short_form_of_a_group_is_its_last_eight_digits() {
        let id: GroupId = "01937c5e-0000-7000-8000-0000deadbeef".parse().unwrap();
        assert_eq!(id.short(), "deadbeef");
    }
}
