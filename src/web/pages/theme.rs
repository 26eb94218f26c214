//! `/theme`: light, dark, or as the system says.

use axum::Form;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};

use crate::web::Site;
use crate::web::cx::{Typed, own_address, set_cookie, typed};
use crate::web::view::page::Theme;

pub(crate) async fn choose(State(site): State<Site>, Form(form): Typed) -> Response {
    let mut response = Redirect::to(own_address(typed(&form, "back"))).into_response();
    set_cookie(&mut response, &site.cookies.set_theme(Theme::parse(typed(&form, "theme")).as_str()));
    response
}
