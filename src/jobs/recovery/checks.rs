//! What proves that a guest runs: VMware Tools, an address, a port that answers where Zerfaux runs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::domain::job::Failure;
use crate::domain::moref::VmRef;
use crate::domain::recovery_plan::{BootCheck, BootProof};
use crate::engine::StepContext;
use crate::jobs::deploy::guest::GuestNow;
use crate::vsphere::Client;

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(5);
/// How long one connection is tried.
const CONNECT: Duration = Duration::from_secs(3);

/// The pause after so many looks: short at first, because what takes seconds is the rule in a small place.
fn pause_after(looks: u32) -> Duration {
    Duration::from_millis(100).saturating_mul(1 << looks.min(6)).min(LONGEST)
}

/// What was seen once it runs; None: not yet, with what is seen so far.
async fn seen(guest: &GuestNow, proof: BootProof) -> Result<String, String> {
    let tools = if guest.tools_run { "VMware Tools run" } else { "VMware Tools do not run" };
    match proof {
        BootProof::None => Ok("it is powered on; nothing else was asked for".to_owned()),
        BootProof::Tools if guest.tools_run => Ok(tools.to_owned()),
        BootProof::Tools => Err(tools.to_owned()),
        BootProof::Ip => match guest.usable(None) {
            Some(address) => Ok(format!("{tools}; its address is {address}")),
            None => Err(format!("{tools}; it tells no address that others reach{}", told(guest))),
        },
        BootProof::TcpPort { port } => {
            let Some(address) = guest.usable(None) else {
                return Err(format!("{tools}; it tells no address that others reach{}", told(guest)));
            };
            match connect(address, port).await {
                Ok(()) => Ok(format!("{tools}; TCP port {port} of {address} takes connections")),
                Err(why) => Err(format!("{tools}; TCP port {port} of {address}: {why}")),
            }
        }
    }
}

fn told(guest: &GuestNow) -> String {
    let all: Vec<String> = guest.addresses().iter().map(ToString::to_string).collect();
    if all.is_empty() { String::new() } else { format!(" ({})", all.join(", ")) }
}

async fn connect(address: IpAddr, port: u16) -> Result<(), String> {
    match tokio::time::timeout(CONNECT, TcpStream::connect(SocketAddr::new(address, port))).await {
        Ok(Ok(_stream)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_late) => Err(format!("no answer within {} s", CONNECT.as_secs())),
    }
}

/// Waits until the check is passed, and answers what was seen.
///
/// # Errors
/// Permanent when its time limit has passed; or if the vCenter does not answer, or a person asked to stop.
pub(in crate::jobs) async fn wait_for(
    cx: &StepContext,
    client: &Client,
    (vm, name): (&VmRef, &str),
    check: BootCheck,
) -> Result<String, Failure> {
    let limit = Duration::from_secs(check.limit_seconds.into());
    let (mut waited, mut looks) = (Duration::ZERO, 0);
    loop {
        let so_far = match GuestNow::read(client, vm).await {
            Ok(guest) => match seen(&guest, check.proof).await {
                Ok(evidence) => return Ok(evidence),
                Err(so_far) => so_far,
            },
            // A vCenter that is away for a moment is no guest that does not come up.
            Err(failure) if waited < limit => failure.message,
            Err(failure) => return Err(failure),
        };
        if waited >= limit {
            return Err(Failure::permanent(format!("{name:?} did not pass its check ({check}): {so_far}."))
                .advise(
                    "Look at its console in vCenter. The others go on; retry this one when it is mended.",
                ));
        }
        let pause = pause_after(looks);
        cx.pause(pause).await?;
        (waited, looks) = (waited + pause, looks + 1);
    }
}
