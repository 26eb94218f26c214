//! The files under `static/`, inside the program. Their addresses carry a hash, so browsers may keep them for ever.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// The address of a file, with its hash.
pub(super) fn address(name: &str) -> String {
    match Files::get(name) {
        Some(file) => format!("/static/{name}?v={}", short(&file.metadata.sha256_hash())),
        None => format!("/static/{name}"),
    }
}

/// A file.
pub(super) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Files::get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let tag = format!("\"{}\"", short(&file.metadata.sha256_hash()));
    let caching = "public, max-age=31536000, immutable";
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, caching)]).into_response();
    }
    let about = [(header::CONTENT_TYPE, kind(&name)), (header::CACHE_CONTROL, caching)];
    (about, [(header::ETAG, tag)], file.data.into_owned()).into_response()
}

fn short(hash: &[u8; 32]) -> String {
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md" | "LICENSE") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
