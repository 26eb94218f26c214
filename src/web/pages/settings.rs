//! `/settings`

use axum::extract::State;
use secrecy::ExposeSecret;

use crate::web::cx::Cx;
use crate::web::screens::access::RecoveryKey;
use crate::web::screens::settings::Settings;
use crate::web::view::navigation::Area;
use crate::web::view::{Html, html};
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let word = |yes: bool| if yes { "yes" } else { "no" };
    let has_key = site.app.has_recovery_key().await?;
    let text = |text: &str| Html(html::escape(text).to_string());
    let fixed = vec![
        ("Recovery key made".to_owned(), text(word(has_key))),
        ("Simulated sites".to_owned(), text(word(site.simulated))),
    ];
    cx.draw(&Settings { page: cx.page("Settings", Area::Settings), groups: Vec::new(), fixed })
}

pub(crate) async fn recovery_key(State(site): State<Site>, cx: Cx) -> Answer {
    let key = site.app.make_recovery_key(cx.who()?).await?;
    let page = cx.page("Your recovery key", Area::Settings);
    cx.draw(&RecoveryKey { page, key: key.expose_secret().to_owned(), next: "/settings".to_owned() })
}
