//! SSH connections: keys, host keys, running commands, streams. The only place that names russh.
