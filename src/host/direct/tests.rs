//! How the end of a direct stream is judged.

use super::*;
use crate::host::outcome::SideOutcome;

fn route() -> Route {
    let dial = Dial { host: "10.0.0.2".into(), port: 22 };
    Route { source: Host::local(), target: Host::local(), dial, dial_was_named: true }
}

fn ended(out: &str, err: &str, end: Result<Exit, String>) -> Result<(String, String), RelayError> {
    let (mut tally, mut voices) = (Tally::default(), Voices::new());
    tally.push(out.as_bytes(), &Meter::new());
    voices.push(err.as_bytes());
    Heard { tally, voices, end: Some(end) }.judge(&route())
}

const WHOLE: &str = "\nsend 0\n100 bytes copied\n\nmeter 0\n\nreceive 0\n";

#[test]
fn only_a_stream_that_ended_well_at_all_three_and_was_heard_to_the_end_is_whole() {
    assert!(ended(WHOLE, "send note\nreceive other\n", Ok(Exit::Code(0))).is_ok());
    assert!(ended(WHOLE, "", Ok(Exit::Code(1))).is_err());
    assert!(ended(WHOLE, "", Ok(Exit::Signal("KILL".into()))).is_err());
    assert!(ended(WHOLE, "", Err("the connection was closed".into())).is_err());
    for missing in ["send 0", "meter 0", "receive 0"] {
        assert!(ended(&WHOLE.replace(missing, ""), "", Ok(Exit::Code(0))).is_err(), "{missing}");
        let failed = missing.replace('0', "1");
        assert!(ended(&WHOLE.replace(missing, &failed), "", Ok(Exit::Code(0))).is_err(), "{failed}");
    }
}

#[test]
fn the_one_that_failed_first_is_named_with_its_own_words() {
    let err = "send cannot send\nreceive cannot receive\n";
    let error = |out: &str| ended(out, err, Ok(Exit::Code(0))).unwrap_err();
    let source = error("\nsend 1\n\nmeter 0\n\nreceive 1\n");
    assert_eq!(source.culprit(), Side::Source);
    assert!(source.to_string().contains("cannot send"), "{source}");
    let target = error("\nreceive 1\n\nmeter 141\n\nsend 1\n");
    assert_eq!(target.culprit(), Side::Destination);
    assert!(target.to_string().contains("cannot receive"), "{target}");
    let late = error("\nsend 0\n\nmeter 0\n\nreceive 1\n");
    assert_eq!(late.culprit(), Side::Destination);
    let early = error("\nreceive 0\n\nmeter 141\n\nsend 141\n");
    assert!(early.to_string().contains("before the stream was at its end"), "{early}");
}

#[test]
fn an_ssh_that_breaks_down_is_told_from_a_receive_that_fails() {
    let broke = |out: &str, err: &str| ended(out, err, Ok(Exit::Code(0))).unwrap_err();
    let error = broke(
        "5000 bytes copied\nreceive 255\nmeter 141\nsend 141\n",
        "receive client_loop: send disconnect: Broken pipe\n",
    );
    assert!(error.is_transient() && error.to_string().contains("broke: client_loop"), "{error}");
    let error = broke("receive 255\nmeter 141\nsend 141\n", "receive Host key verification failed.\n");
    assert!(!error.is_transient() && error.to_string().contains("another host key"), "{error}");
    assert!(matches!(error, RelayError::Hop(_)));
}

#[test]
fn a_source_that_is_lost_may_try_again() {
    let error = ended("5000 bytes copied\n", "", Err("nothing came".into())).unwrap_err();
    assert!(error.is_transient());
    let RelayError::Failed { sender, receiver, bytes } = error else { panic!("{error:?}") };
    assert!(matches!(sender, SideOutcome::Lost { .. }) && matches!(receiver, SideOutcome::Stopped { .. }));
    assert_eq!(bytes, 5000);
}
