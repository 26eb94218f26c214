//! Parses the command line, hands over, prints what went wrong, sets the exit status.

fn main() {}
