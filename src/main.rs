//! Parses the command line, hands over, sets the exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    zerfaux::cli::main()
}
