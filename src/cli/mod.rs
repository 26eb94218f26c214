//! The command line, one file per command: parse, call the use case, draw. No rules of its own.
