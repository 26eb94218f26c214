//! Looking whether a source can stream straight to a target: by doing everything but the stream.

use std::time::Duration;

use tokio::time::timeout;

use super::command::{self, Target};
use super::hop::{HopError, Trouble, is_new_enough, read_ssh};
use super::{LOGIN, Means, Route, forwarding};
use crate::domain::argv::Argv;
use crate::domain::exit::Exit;
use crate::host::HostError;
use crate::ssh::{ForwardError, HeadTail, StreamEvent};

/// Opening the connection has its own limits; then the source has 15 s to reach the target.
const PATIENCE: Duration = Duration::from_secs(40);

/// Logs in on the source, and from there on the target, runs `true`, and says what the source has. One connection
/// and one command; it changes nothing on either.
///
/// # Errors
/// If there is no such way, and why.
pub async fn look(route: &Route) -> Result<Means, HopError> {
    let fail = |trouble| HopError::new(route, trouble);
    let (Some(source), Some(target)) = (route.source.link(), route.target.link()) else {
        return Err(fail(Trouble::Local));
    };
    if route.dial.is_loopback() && !route.dial_was_named {
        return Err(fail(Trouble::Loopback));
    }
    let host_key = target.host_key().await.map_err(HostError::Connect);
    let host_key = host_key.map_err(|error| HopError::host(route, &error))?;
    let there = Target { dial: &route.dial, user: &target.endpoint().user, host_key: &host_key };
    let command = Argv::new(["true"])
        .and_then(|nothing| command::ssh(&there, &nothing, "DEBUG1"))
        .and_then(|ssh| command::look(&ssh))
        .map_err(|error| fail(Trouble::Other(error.to_string())))?;
    let answer = async {
        let (_connection, mut reader, writer) = forwarding(source, target, &command, LOGIN).await?;
        let (mut out, mut err) = (HeadTail::new(16 * 1024), HeadTail::new(HeadTail::STDERR));
        let end = loop {
            match reader.next().await {
                StreamEvent::Data(text) => out.push(&text),
                StreamEvent::Stderr(text) => err.push(&text),
                StreamEvent::Eof | StreamEvent::Exit(Exit::Code(_)) => {}
                StreamEvent::Exit(exit) => break Err(format!("the shell ended with {exit}")),
                StreamEvent::Closed => break Ok(()),
                StreamEvent::Lost(why) => break Err(why),
            }
        };
        writer.abort().await;
        Ok((end, out.into_text(), err.into_text()))
    };
    match timeout(PATIENCE + Duration::from_secs(50), answer).await {
        Ok(Ok((Ok(()), out, err))) => read(&out, &err).map_err(fail),
        Ok(Ok((Err(why), ..))) => Err(HopError::host_lost(route, &why)),
        Ok(Err(ForwardError::Refused { .. })) => Err(fail(Trouble::NoForwarding)),
        Ok(Err(ForwardError::Exec(error))) => Err(HopError::host(route, &error.into())),
        Err(_) => Err(fail(Trouble::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())))),
    }
}

fn read(out: &str, err: &str) -> Result<Means, Trouble> {
    let value = |key: &str| out.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let client = value("client ").unwrap_or_default();
    let status = value("ssh ").and_then(|status| status.parse::<u32>().ok());
    if status == Some(127) {
        return Err(Trouble::NoClient);
    }
    if !is_new_enough(client) {
        let name = client.split(',').next().unwrap_or_default();
        let name = if name.is_empty() { "an ssh that does not say its release" } else { name };
        return Err(Trouble::OldClient(name.to_owned()));
    }
    match status {
        Some(0) => {}
        Some(255) | None => return Err(read_ssh(err)),
        Some(other) => {
            return Err(Trouble::Other(format!("the login shell there ended with exit status {other}")));
        }
    }
    let has = |word: &str| out.lines().any(|line| line == word);
    let means = Means { pv: has("pv"), dd: has("dd") };
    if means.suffice(None) { Ok(means) } else { Err(Trouble::NoCount) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_source_says_what_it_has_or_why_not() {
        let new = "client OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19";
        assert_eq!(read(&format!("{new}\npv\ndd\nssh 0"), ""), Ok(Means { pv: true, dd: true }));
        assert_eq!(read(&format!("{new}\ndd\nssh 0"), "debug1: x"), Ok(Means { pv: false, dd: true }));
        assert_eq!(
            read(
                "client OpenSSH_8.4p1 Debian-5+deb11u3, OpenSSL 1.1.1w\nssh 255",
                "Bad configuration option"
            ),
            Err(Trouble::OldClient("OpenSSH_8.4p1 Debian-5+deb11u3".into()))
        );
        assert_eq!(read("client sh: 1: ssh: not found\nssh 127", ""), Err(Trouble::NoClient));
        assert_eq!(
            read(&format!("{new}\nssh 255"), "Host key verification failed."),
            Err(Trouble::OtherHostKey)
        );
        assert!(matches!(read(&format!("{new}\nssh 1"), ""), Err(Trouble::Other(_))));
        assert_eq!(read(&format!("{new}\nssh 0"), ""), Err(Trouble::NoCount));
    }
}
