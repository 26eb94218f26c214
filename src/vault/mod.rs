//! Secrets sealed at rest, the key file, the recovery key.
