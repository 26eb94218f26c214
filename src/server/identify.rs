//! Who asks: by bearer token, else by cookie, else nobody.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::listener::Peer;
use crate::app::{App, AppError};
use crate::auth::secret::Secret;
use crate::web::cookies::Cookies;
use crate::web::{Caller, Trouble};

/// What the layer needs.
#[derive(Clone)]
pub(super) struct Identify {
    pub(super) app: App,
    pub(super) cookies: Cookies,
}

/// Puts a [`Caller`] and, if somebody is known, a `Principal` into the request.
pub(super) async fn identify(State(this): State<Identify>, mut request: Request, next: Next) -> Response {
    let address = address(&request);
    let caller = match this.caller(request.headers(), address).await {
        Ok(caller) => caller,
        Err(error) => return Trouble(error).into_response(),
    };
    if let Some(principal) = &caller.principal {
        request.extensions_mut().insert(principal.clone());
    }
    let fresh = caller.fresh_cookie.clone();
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    // The layer that draws errors lies outside of this one.
    response.extensions_mut().insert(caller);
    // A browser without any cookie gets one with its first page, so that the form there can be told from a foreign one.
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html")
        && let Some(cookie) = fresh
        && let Ok(value) = HeaderValue::from_str(&cookie)
    {
        response.headers_mut().append("set-cookie", value);
    }
    response
}

impl Identify {
    async fn caller(&self, headers: &HeaderMap, address: String) -> Result<Caller, AppError> {
        let nobody = Caller { address: address.clone(), ..Caller::default() };
        if let Some(value) = headers.get(AUTHORIZATION) {
            // A program that names a token is judged by that alone: a cookie beside it must not help.
            let token = value.to_str().ok().and_then(|text| text.split_once(' '));
            let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            let principal = match token {
                Some((_, token)) => self.app.by_token(&Secret::sent(token.trim()), &address).await?,
                None => None,
            };
            return Ok(Caller { principal, by_token: true, ..nobody });
        }
        let sent: Vec<&str> =
            headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
        if let Some(secret) = self.cookies.session(&sent)
            && let Some(principal) = self.app.by_cookie(&secret, &address).await?
        {
            return Ok(Caller {
                principal: Some(principal),
                form_token: Some(secret.form_token()),
                ..nobody
            });
        }
        match self.cookies.visitor(&sent) {
            Some(secret) => Ok(Caller { form_token: Some(secret.form_token()), ..nobody }),
            None => {
                let secret = Secret::generate();
                let fresh_cookie = Some(self.cookies.set_visitor(&secret));
                Ok(Caller { form_token: Some(secret.form_token()), fresh_cookie, ..nobody })
            }
        }
    }
}

fn address(request: &Request) -> String {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let ip = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(Peer(peer))| peer.ip());
    ip.to_canonical().to_string()
}
