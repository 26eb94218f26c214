//! Certificates: what was accepted lets in, anything else does not.

use zerfaux::domain::thumbprint::Thumbprint;
use zerfaux::domain::vcenter::Trust;
use zerfaux::vsphere::{CertificateProblem, Client, Login, VsphereError, fetch_certificate};

use crate::vcenter::Server;

pub async fn an_accepted_certificate_lets_in(server: &Server) {
    let shown = fetch_certificate(&server.address).await.unwrap();
    assert!(shown.subject.contains("CN="), "{}", shown.subject);
    assert!(shown.not_after.unwrap() > jiff::Timestamp::now());
    Client::connect(server.login().await).await.unwrap();
}

pub async fn another_certificate_is_refused(server: &Server) {
    let pinned = Thumbprint::from_bytes([7; 32]);
    let login = Login { trust: Trust::Pinned(pinned), ..server.login().await };
    let shown = fetch_certificate(&server.address).await.unwrap();
    match Client::connect(login).await {
        Err(VsphereError::Certificate { problem, .. }) => {
            assert_eq!(*problem, CertificateProblem::Changed { pinned, found: shown.clone() });
        }
        other => panic!("{other:?}"),
    }
    let login = Login { trust: Trust::System, ..server.login().await };
    match Client::connect(login).await {
        Err(VsphereError::Certificate { problem, .. }) => {
            assert!(matches!(&*problem, CertificateProblem::Unknown { found, .. } if *found == shown));
        }
        other => panic!("{other:?}"),
    }
}

/// The certificate that vcsim has by itself.
#[tokio::test]
#[ignore = "needs vcsim: tests/run"]
async fn a_certificate_with_a_weak_key_is_named_as_such() {
    let server = Server::vcsim(&["-weak-certificate"]);
    let error = fetch_certificate(&server.address).await.unwrap_err();
    assert!(error.to_string().contains("key is too weak"), "{error}");
    assert!(error.advice().contains("2048 bits"), "{}", error.advice());
}
