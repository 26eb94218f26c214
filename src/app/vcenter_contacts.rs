//! What is asked of a vCenter that is kept: its certificate, a test, a reading of its inventory.

use serde_json::Value;

use super::job_start::{self, Beside};
use super::vcenters::{Contact, Saved, ServerCertificate, VcenterCases, VcenterWish};
use super::{AppError, Principal};
use crate::domain::ids::{JobId, VcenterId};
use crate::domain::thumbprint::Thumbprint;
use crate::jobs::vcenter_sync::{KIND, SyncInput};
use crate::jobs::vcenters::shown_certificate;

impl VcenterCases {
    /// The certificate that a connection's server shows now, to be compared by a person. Nothing else is sent to it.
    ///
    /// # Errors
    /// If there is no such connection, or the server cannot be reached.
    pub async fn look(&self, id: VcenterId) -> Result<ServerCertificate, AppError> {
        Ok(shown_certificate(&self.get(id).await?.address).await?)
    }

    /// Accepts the certificate that a server shows now in place of the one before, because a person compared it.
    ///
    /// # Errors
    /// If there is no such connection, or the login is refused.
    pub async fn accept_certificate(
        &self,
        who: &Principal,
        id: VcenterId,
        accepted: Thumbprint,
    ) -> Result<Saved, AppError> {
        let old = self.get(id).await?;
        let wish = VcenterWish {
            name: old.name.clone(),
            host: old.address.host.clone(),
            port: old.address.port,
            username: old.username.clone(),
            password: None,
            accepted: Some(accepted),
        };
        self.save(who, Some(old), wish).await
    }

    /// Tries a connection: certificate and login.
    ///
    /// # Errors
    /// If there is none with this id, no answer, or a refusal.
    pub async fn test(&self, who: &Principal, id: VcenterId) -> Result<Contact, AppError> {
        let vcenter = self.get(id).await?;
        self.store().append_audit(self.entry(who, "vcenter.test", &vcenter.name, Value::Null)).await?;
        let tried = self.sessions().test(&vcenter).await;
        match &tried {
            Ok(Contact::Answered(about)) => {
                self.store().vcenter_answered(id, about, None).await?;
                // What stood in the way may be gone.
                self.sessions().streams().retry(id);
            }
            Ok(Contact::CertificateUnknown(found) | Contact::CertificateChanged { found, .. }) => {
                self.store().vcenter_refused(id, found).await?;
                self.store().vcenter_failed(id, "the certificate is not the accepted one").await?;
            }
            Err(failure) => self.store().vcenter_failed(id, &failure.message).await?,
        }
        Ok(tried?)
    }

    /// Queues a reading of the whole inventory as a job.
    ///
    /// # Errors
    /// If there is no such connection, or the database does not answer.
    pub async fn sync(&self, who: &Principal, id: VcenterId) -> Result<JobId, AppError> {
        let vcenter = self.get(id).await?;
        let mut input = job_start::written(&SyncInput { vcenter: id })?;
        // For people who look at the list of jobs.
        input["name"] = vcenter.name.clone().into();
        let entry = self.entry(who, "vcenter.sync", &vcenter.name, Value::Null);
        let ground = (self.store(), self.engine());
        job_start::start(ground, who, (KIND, input), entry, |_| Beside::Other).await
    }
}
