//! Drafts of vCenter connections: what was typed waits here, the password sealed, while a person compares the
//! certificate. Good for a quarter of an hour, and for the one who began it.

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};

use super::vcenters::{Saved, ServerCertificate, VcenterCases, VcenterDraft, VcenterWish, sealing};
use super::{AppError, Principal};
use crate::domain::ids::{VcenterDraftId, VcenterId};
use crate::domain::thumbprint::Thumbprint;
use crate::domain::vcenter::VcenterAddress;

/// How long a draft is good for.
const GOOD: SignedDuration = SignedDuration::from_mins(15);

impl VcenterCases {
    /// Keeps what was typed until the certificate has been compared. `vcenter`: the connection that is changed.
    ///
    /// # Errors
    /// If the password cannot be sealed, or the database does not take it.
    pub async fn begin_draft(
        &self,
        who: &Principal,
        vcenter: Option<VcenterId>,
        wish: &VcenterWish,
        certificate: ServerCertificate,
    ) -> Result<VcenterDraftId, AppError> {
        let id = VcenterDraftId::new();
        let password: SecretString = match (&wish.password, vcenter) {
            (Some(password), _) => password.clone(),
            (None, Some(vcenter)) => self.sealed(self.get(vcenter).await?.password).await?,
            (None, None) => return Err(AppError::invalid("password", "The password is missing.")),
        };
        let address =
            VcenterAddress::new(&wish.host, wish.port).map_err(|error| AppError::invalid("host", error))?;
        let name = format!("vcenter draft {id}");
        let password =
            self.secrets()?.put(&name, password.expose_secret().as_bytes()).await.map_err(sealing)?;
        let draft = VcenterDraft {
            id,
            owner: who.actor(),
            vcenter,
            name: wish.name.trim().to_owned(),
            address,
            username: wish.username.trim().to_owned(),
            password,
            certificate,
            created_at: self.now(),
        };
        self.store().put_vcenter_draft(&draft, self.now() - GOOD).await?;
        Ok(id)
    }

    /// The draft of the one who asks.
    ///
    /// # Errors
    /// If there is none with this id, it is somebody else's, or it is too old.
    pub async fn draft(&self, who: &Principal, id: VcenterDraftId) -> Result<VcenterDraft, AppError> {
        let found = self.store().vcenter_draft(id).await?;
        let found = found
            .filter(|draft| draft.owner == who.actor() && self.now().duration_since(draft.created_at) < GOOD);
        found.ok_or_else(|| {
            AppError::NotFound("what was typed is no longer kept: begin again with the connection".to_owned())
        })
    }

    /// Goes on with a draft, because a person has compared the certificate with this thumbprint.
    ///
    /// # Errors
    /// As [`draft`](Self::draft), and as making or changing the connection.
    pub async fn accept_draft(
        &self,
        who: &Principal,
        id: VcenterDraftId,
        accepted: Thumbprint,
    ) -> Result<Saved, AppError> {
        let draft = self.draft(who, id).await?;
        let wish = VcenterWish {
            name: draft.name,
            host: draft.address.host,
            port: draft.address.port,
            username: draft.username,
            password: Some(self.sealed(draft.password).await?),
            accepted: Some(accepted),
        };
        let saved = match draft.vcenter {
            None => self.create(who, wish).await?,
            Some(vcenter) => self.update(who, vcenter, wish).await?,
        };
        if matches!(saved, Saved::Kept(_)) {
            self.store().delete_vcenter_draft(id).await?;
        }
        Ok(saved)
    }

    /// Forgets a draft with its password. Nothing if there is none.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn discard_draft(&self, who: &Principal, id: VcenterDraftId) -> Result<(), AppError> {
        if self.draft(who, id).await.is_ok() {
            self.store().delete_vcenter_draft(id).await?;
        }
        Ok(())
    }
}
