//! `zerfaux openapi`

use clap::Args;

use super::exit::Exit;
use super::output;

/// Print the description of the API (OpenAPI 3.1).
#[derive(Debug, Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> Exit {
        match crate::api::document().to_pretty_json() {
            Ok(text) => {
                output::line(text);
                Exit::Done
            }
            Err(error) => {
                output::remark(format_args!("zerfaux: the description could not be written: {error}"));
                Exit::Failed
            }
        }
    }
}
