//! `/ssh-keys/{id}/rotation`: a new key in the place of an old one.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::ssh_keys::draw_one;
use crate::app::AppError;
use crate::domain::ids::SshKeyId;
use crate::web::cx::{Cx, done, sentence};
use crate::web::{Answer, Site};

pub(crate) async fn begin(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    site.app.rotate_ssh_key(cx.who()?, id).await?;
    let said = "The new key is made. The old one stays in use until every appliance lets the new one in.";
    Ok(done(&site, &format!("/ssh-keys/{id}"), said))
}

pub(crate) async fn install(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    let came = site.app.install_new_ssh_key(cx.who()?, id).await?;
    draw_one(&site, &cx, StatusCode::OK, id, &came, None).await
}

pub(crate) async fn switch(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    match site.app.switch_ssh_key(cx.who()?, id).await {
        Ok(key) => Ok(done(
            &site,
            &format!("/ssh-keys/{id}"),
            &format!("{} is the new key now. The old private half is destroyed.", key.name),
        )),
        Err(AppError::Conflict(why)) => {
            draw_one(&site, &cx, StatusCode::CONFLICT, id, &[], Some(sentence(&why))).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn cancel(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    site.app.cancel_ssh_key_rotation(cx.who()?, id).await?;
    Ok(done(&site, &format!("/ssh-keys/{id}"), "The new key is destroyed. The old one stays in use."))
}
