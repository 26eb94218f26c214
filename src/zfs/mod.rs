//! OpenZFS commands: typed arguments to argv, output to types, standard error to typed errors.
