//! The vSphere client against a server that a test scripts: certificates, sessions, broken connections, hostile
//! answers. Hermetic.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

#[path = "vsphere_wire/fuzz.rs"]
mod fuzz;
#[path = "support/scripted.rs"]
mod scripted;

use std::sync::atomic::{AtomicUsize, Ordering};

use scripted::{Reply, Scripted, empty, returning, session};
use tokio_util::sync::CancellationToken;
use zerfaux::domain::moref::{TaskRef, VmRef};
use zerfaux::domain::thumbprint::Thumbprint;
use zerfaux::domain::vcenter::Trust;
use zerfaux::vsphere::{
    CertificateProblem, Client, Login, PropertySet, Reason, Scope, TaskProgress, VsphereError,
    fetch_certificate,
};

const VM: [&str; 1] = ["name"];

#[tokio::test]
async fn a_changed_certificate_stops_everything_before_the_password() {
    let server = Scripted::start(|method, _| session(method)).await;
    let pinned = Thumbprint::from_bytes([1; 32]);
    for trust in [Trust::Pinned(pinned), Trust::System] {
        let error = Client::connect(Login { trust, ..server.login() }).await.unwrap_err();
        let VsphereError::Certificate { problem, .. } = &error else { panic!("{error:?}") };
        let (CertificateProblem::Changed { found, .. } | CertificateProblem::Unknown { found, .. }) =
            &**problem
        else {
            panic!("{problem:?}")
        };
        assert_eq!((found.thumbprint, found.subject.as_str()), (server.thumbprint, "CN=scripted"));
        assert!(!error.is_transient());
        assert!(error.to_string().contains(&server.thumbprint.to_string()), "{error}");
    }
    assert_eq!(server.received(), b"", "nothing at all was sent");

    // The recorder would have seen it.
    Client::connect(server.login()).await.unwrap();
    assert!(String::from_utf8_lossy(&server.received()).contains("canary-7391"));
}

#[tokio::test]
async fn a_certificate_is_shown_without_sending_anything() {
    let server = Scripted::start(|method, _| session(method)).await;
    let shown = fetch_certificate(&server.address).await.unwrap();
    assert_eq!(shown.thumbprint, server.thumbprint);
    assert_eq!(server.received(), b"");
}

#[tokio::test]
async fn an_expired_session_is_made_anew_once() {
    let expired = AtomicUsize::new(1);
    let server = Scripted::start(move |method, _| match method {
        "CurrentTime"
            if expired.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() =>
        {
            Reply::Fault("NotAuthenticated")
        }
        _ => session(method),
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    client.keep_alive().await.unwrap();
    assert_eq!(server.calls(), ["RetrieveServiceContent", "Login", "CurrentTime", "Login", "CurrentTime"]);
}

#[tokio::test]
async fn a_server_that_never_accepts_the_session_is_not_asked_for_ever() {
    let server = Scripted::start(|method, _| match method {
        "CurrentTime" => Reply::Fault("NotAuthenticated"),
        _ => session(method),
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    let error = client.keep_alive().await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::NotAuthenticated));
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn statuses_and_foreign_pages_are_named() {
    for (status, transient, words) in
        [(503, true, "starting"), (401, false, "proxy"), (404, false, "no vSphere API")]
    {
        let server = Scripted::start(move |method, _| match method {
            "CurrentTime" => Reply::Status(status),
            _ => session(method),
        })
        .await;
        let error = Client::connect(server.login()).await.unwrap().keep_alive().await.unwrap_err();
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert_eq!(error.is_transient(), transient, "{error}");
        assert!(error.advice().contains(words), "{}", error.advice());
    }
}

#[tokio::test]
async fn an_answer_cut_anywhere_is_never_taken_for_a_whole_one() {
    let objects = "<objects><obj type=\"VirtualMachine\">vm-1</obj><propSet><name>name</name>\
                   <val xsi:type=\"xsd:string\">web</val></propSet></objects>";
    let body = format!(
        "<RetrievePropertiesExResponse xmlns=\"urn:vim25\"><returnval>{}</returnval></RetrievePropertiesExResponse>",
        objects.repeat(20)
    );
    let at = std::sync::Arc::new(AtomicUsize::new(0));
    let (given, cut) = (body.clone(), at.clone());
    let server = Scripted::start(move |method, _| match (method, cut.load(Ordering::SeqCst)) {
        ("RetrievePropertiesEx", 0) => Reply::Body(given.clone()),
        ("RetrievePropertiesEx", bytes) => Reply::Cut(bytes, given.clone()),
        _ => session(method),
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    let sets = [PropertySet { kind: "VirtualMachine", paths: VM.to_vec() }];
    let scope = Scope::Objects(vec![(&VmRef::new("vm-1")).into()]);
    assert_eq!(client.retrieve(&sets, &scope).await.unwrap().len(), 20);
    for bytes in (1..body.len()).step_by(97) {
        at.store(bytes, Ordering::SeqCst);
        let error = client.retrieve(&sets, &scope).await.unwrap_err();
        assert!(error.is_transient(), "cut after {bytes}: {error:?}");
    }
}

#[tokio::test]
async fn pages_are_followed_to_the_end() {
    let server = Scripted::start(|method, body| {
        let page = |number: usize, token: &str| {
            let one = |vm: usize| format!(
                "<objects><obj type=\"VirtualMachine\">vm-{vm}</obj><propSet><name>name</name><val>web{vm}</val></propSet></objects>"
            );
            let objects: String = (number * 3..number * 3 + 3).map(one).collect();
            format!("<returnval>{objects}{token}</returnval>")
        };
        match method {
            "RetrievePropertiesEx" => returning(method, &page(0, "<token>t&lt;1</token>")),
            "ContinueRetrievePropertiesEx" if body.contains("<token>t&lt;1</token>") => {
                returning(method, &page(1, "<token>t2</token>"))
            }
            "ContinueRetrievePropertiesEx" => returning(method, &page(2, "")),
            _ => session(method),
        }
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    let sets = [PropertySet { kind: "VirtualMachine", paths: VM.to_vec() }];
    let scope = Scope::everything(&client, &["VirtualMachine"]).await.unwrap();
    let found = client.retrieve(&sets, &scope).await.unwrap();
    let names: Vec<_> = found.iter().map(|one| one.text("name").unwrap()).collect();
    assert_eq!(names, ["web0", "web1", "web2", "web3", "web4", "web5", "web6", "web7", "web8"]);
}

fn task_update(state: &str, more: &str) -> String {
    format!(
        "<returnval><version>1</version><filterSet><filter type=\"PropertyFilter\">f</filter><objectSet><kind>enter</kind>\
         <obj type=\"Task\">task-1</obj><changeSet><name>info.state</name><op>assign</op><val>{state}</val></changeSet>\
         {more}</objectSet></filterSet></returnval>"
    )
}

#[tokio::test]
async fn a_connection_dropped_in_mid_task_loses_neither_task_nor_progress() {
    let round = AtomicUsize::new(0);
    let server = Scripted::start(move |method, _| match method {
        "WaitForUpdatesEx" => match round.fetch_add(1, Ordering::SeqCst) {
            0 => returning(
                method,
                &task_update(
                    "running",
                    "<changeSet><name>info.progress</name><op>assign</op><val>40</val></changeSet>",
                ),
            ),
            1 => Reply::Cut(120, "<WaitForUpdatesExResponse/>".to_owned()),
            2 => Reply::Status(503),
            3 => Reply::Fault("NotAuthenticated"),
            // The collector went with the session.
            4 => Reply::Fault("ManagedObjectNotFound"),
            _ => returning(
                method,
                &task_update(
                    "success",
                    "<changeSet><name>info.result</name><op>assign</op>\
                     <val type=\"VirtualMachine\" xsi:type=\"ManagedObjectReference\">vm-9</val></changeSet>",
                ),
            ),
        },
        _ => session(method),
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    let mut seen = Vec::new();
    let result = client
        .wait_for_task(&TaskRef::new("task-1"), "clone it", &CancellationToken::new(), |progress| {
            seen.push(progress)
        })
        .await
        .unwrap();
    assert_eq!(result.unwrap().reference().unwrap().id, "vm-9");
    assert_eq!(seen.first(), Some(&TaskProgress { running: true, percent: Some(40) }));
    assert_eq!(
        seen.last(),
        Some(&TaskProgress { running: true, percent: Some(100) }),
        "the last report always comes"
    );
    let again = server.calls().iter().filter(|call| call.ends_with("_Task")).count();
    assert_eq!(again, 0, "nothing was started a second time");
}

#[tokio::test]
async fn a_failed_task_tells_its_reason_and_a_cancelled_one_ends_as_cancelled() {
    let failed = |fault: &str| {
        format!(
            "<changeSet><name>info.error</name><op>assign</op><val xsi:type=\"LocalizedMethodFault\">\
             <fault xsi:type=\"{fault}\"><name>web</name></fault><localizedMessage>*types.X</localizedMessage></val></changeSet>"
        )
    };
    let server = Scripted::start(move |method, body| match method {
        "CreateFilter" if body.contains("task-9") => Reply::Fault("ManagedObjectNotFound"),
        "WaitForUpdatesEx" => returning(method, &task_update("error", &failed("DuplicateName"))),
        _ => session(method),
    })
    .await;
    let client = Client::connect(server.login()).await.unwrap();
    let wait = |task: &'static str, token: CancellationToken| {
        let client = client.clone();
        async move { client.wait_for_task(&TaskRef::new(task), "clone it", &token, |_| ()).await }
    };
    let error = wait("task-1", CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::DuplicateName { name: "web".to_owned(), object: None }));
    assert!(error.to_string().ends_with("the name \"web\" is taken"), "{error}");

    let cancelled = Scripted::start(move |method, _| match method {
        "WaitForUpdatesEx" => returning(method, &task_update("error", &failed("RequestCanceled"))),
        _ => session(method),
    })
    .await;
    let client = Client::connect(cancelled.login()).await.unwrap();
    let token = CancellationToken::new();
    token.cancel();
    let error = client.wait_for_task(&TaskRef::new("task-1"), "clone it", &token, |_| ()).await.unwrap_err();
    assert!(matches!(error, VsphereError::Cancelled { .. }), "{error:?}");
    assert_eq!(cancelled.calls().iter().filter(|call| *call == "CancelTask").count(), 1);
}

#[tokio::test]
async fn bombs_and_endless_answers_are_refused() {
    let bombs = [
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><x>&b;</x>".to_owned(),
        "<a>".repeat(1_000_000),
        format!("<a>{}</a>", "<b/>".repeat(2_000_000)),
        format!("<a>{}</a>", "x".repeat(40 << 20)),
        format!("<a b=\"{}\"/>", "x".repeat(40 << 20)),
    ];
    for bomb in bombs {
        let size = bomb.len();
        let bytes = bomb.into_bytes();
        let server = Scripted::start(move |method, _| match method {
            "CurrentTime" => Reply::Raw(bytes.clone()),
            _ => session(method),
        })
        .await;
        let error = Client::connect(server.login()).await.unwrap().keep_alive().await.unwrap_err();
        assert!(matches!(error, VsphereError::Unusable { .. }), "{size} bytes: {error:?}");
        assert!(!error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn nothing_secret_is_in_the_trace_or_in_errors() {
    let server = Scripted::start(|method, _| match method {
        "Login" => Reply::Fault("InvalidLogin"),
        "Logout" => empty(method),
        _ => session(method),
    })
    .await;
    let error = Client::connect(server.login()).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::InvalidLogin));
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
    assert!(!format!("{:?}", server.login()).contains("canary"));
}
