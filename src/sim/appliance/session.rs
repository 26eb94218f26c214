//! What a command knows of the connection that it came over.

use tokio_util::sync::CancellationToken;

/// One connection of a client.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Ends the connection as a broken cable would.
    pub(crate) hangup: CancellationToken,
}
