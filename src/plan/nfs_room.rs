//! Whether hosts may mount one more NFS datastore.

use crate::domain::deployment::NfsRoom;

/// How many more may be mounted before it is said beforehand that there will soon be no room.
const SOON: usize = 2;

/// What stands in the way of mounting a datastore of this name, and what one should know: a sentence each. A host that has
/// it already needs no room.
pub fn room_for(name: &str, rooms: &[NfsRoom]) -> (Vec<String>, Vec<String>) {
    let (mut obstacles, mut warnings) = (Vec::new(), Vec::new());
    for room in rooms.iter().filter(|room| !room.names.iter().any(|one| one == name)) {
        let Some(most) = room.most.and_then(|most| usize::try_from(most).ok()) else { continue };
        let (host, mounted) = (&room.host.name, room.names.len());
        if mounted >= most {
            obstacles.push(format!(
                "The host {host} mounts {mounted} NFS datastores, and its NFS.MaxVolumes allows {most}. Raise it on the \
                 host (with Net.TcpipHeapSize and Net.TcpipHeapMax, as VMware says), unmount one, or leave the host out."
            ));
        } else if mounted + SOON >= most {
            warnings.push(format!(
                "The host {host} will mount {} NFS datastores then, and its NFS.MaxVolumes allows {most}.",
                mounted + 1
            ));
        }
    }
    (obstacles, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::deployment::DatastoreHost;
    use crate::domain::moref::EsxiRef;

    fn room(mounted: usize, most: Option<u32>) -> NfsRoom {
        let host = DatastoreHost { moref: EsxiRef::new("host-1"), name: "esx01".to_owned() };
        NfsRoom { host, names: (0..mounted).map(|number| format!("nfs-{number}")).collect(), most }
    }

    #[test]
    fn a_host_that_mounts_as_many_as_it_may_is_named_with_what_helps() {
        let (obstacles, warnings) = room_for("new", &[room(8, Some(8)), room(3, Some(8))]);
        assert_eq!((obstacles.len(), warnings.len()), (1, 0));
        assert!(obstacles[0].contains("esx01 mounts 8") && obstacles[0].contains("NFS.MaxVolumes allows 8"));
    }

    #[test]
    fn the_last_places_are_said_beforehand() {
        let (obstacles, warnings) = room_for("new", &[room(7, Some(8))]);
        assert_eq!(obstacles.len(), 0);
        assert!(warnings[0].contains("will mount 8"), "{warnings:?}");
    }

    #[test]
    fn a_host_that_has_it_and_one_whose_limit_is_not_known_are_not_in_the_way() {
        assert_eq!(room_for("nfs-0", &[room(8, Some(8))]), (vec![], vec![]));
        assert_eq!(room_for("new", &[room(300, None)]), (vec![], vec![]));
    }
}
