//! How a vCenter's stream of changes stands, in the words of the pages.

use crate::app::vcenters::{StreamState, StreamStatus};
use crate::domain::ids::VcenterId;
use crate::web::view::Status;
use crate::web::view::status::Mark;
use crate::web::{Site, Trouble};

pub(super) fn status(site: &Site, id: VcenterId) -> Result<Status, Trouble> {
    Ok(of(site.app.vcenters()?.stream(id).as_ref()))
}

/// The same for one that is known already; None: nobody follows it.
pub(super) fn of(stream: Option<&StreamStatus>) -> Status {
    match stream.map(|stream| &stream.state) {
        None => Status::new(Mark::Unknown, "not followed yet"),
        Some(StreamState::Connecting { .. }) => Status::new(Mark::Working, "connecting"),
        Some(StreamState::Reading { .. }) => Status::new(Mark::Working, "reading everything"),
        Some(StreamState::Following { .. }) => Status::new(Mark::Met, "live"),
        Some(StreamState::Lost { .. }) => Status::new(Mark::Broken, "lost"),
    }
}
