//! What every page handler has: the application, and how this server is reached.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::cookies::Cookies;
use crate::app::{App, AppError, Pending, Principal};

/// Shared by all pages. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    /// The use cases.
    pub app: App,
    /// How cookies are named and set here.
    pub cookies: Cookies,
    /// Whether what is behind the pages is simulated.
    pub simulated: bool,
}

/// Who asks, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Somebody who is signed in, or a program with a good token.
    pub principal: Option<Principal>,
    /// A token was sent, good or not.
    pub by_token: bool,
    /// What forms of this browser carry.
    pub form_token: Option<String>,
    /// A cookie to be set, for a browser that had none.
    pub fresh_cookie: Option<String>,
    /// From where.
    pub address: String,
}

/// The id of a request: in the log, on error pages, in problem documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestId(pub String);

/// An error of a use case, on its way to becoming an error page.
#[derive(Debug)]
pub struct Trouble(pub AppError);

impl From<AppError> for Trouble {
    fn from(error: AppError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Pending(Arc::new(self.0)));
        response
    }
}

/// What page handlers answer.
pub type Answer = Result<Response, Trouble>;
