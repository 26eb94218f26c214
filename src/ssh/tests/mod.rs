//! Tests against real and simulated SSH servers.
