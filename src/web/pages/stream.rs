//! How a vCenter's stream of changes stands, in the words of the pages.

use crate::app::vcenters::VcenterView;
use crate::web::Site;
use crate::web::view::Status;
use crate::web::view::status::Mark;

pub(super) fn status(_site: &Site, _view: &VcenterView) -> Status {
    Status::new(Mark::Unknown, "not followed")
}
