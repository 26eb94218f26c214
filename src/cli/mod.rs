//! The command line, one file per command: parse, call the use case, draw. No rules of its own.

mod access;
mod audit;
mod backup;
mod demo;
mod doctor;
mod exit;
mod job;
mod openapi;
mod options;
mod output;
mod password;
mod progress;
mod replicate;
mod serve;
mod sim;
mod sim_appliance;
mod sim_vcenter;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Flags, Settings};
use exit::{Exit, Trouble};

/// Disaster recovery for VMware vSphere with OpenZFS as the transport.
#[derive(Debug, Parser)]
#[command(name = "zerfaux", version, max_term_width = 110, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    general: options::General,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Replicate(Box<replicate::Replicate>),
    Job(job::Job),
    Serve(serve::Serve),
    User(access::User),
    Token(access::Token),
    Audit(audit::Audit),
    Doctor(doctor::Doctor),
    Openapi(openapi::Openapi),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Demo(demo::Demo),
    Sim(sim::Sim),
    Version(version::Version),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not errors: clap prints them on stdout and exits with 0.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        Err(trouble) => {
            trouble.print();
            trouble.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Trouble> {
    let environment = |name: &str| -> Option<OsString> { std::env::var_os(name) };
    let served = match &cli.command {
        Command::Serve(serve) => serve.options.clone(),
        Command::Demo(demo) => demo.options.clone(),
        _ => serve::Options::default(),
    };
    // What the demo says on its few lines must not drown in the log.
    let is_demo = matches!(cli.command, Command::Demo(_)) && environment("ZERFAUX_LOG").is_none();
    let quiet = if is_demo { "warn".parse().ok() } else { None };
    let flags = Flags {
        listen: served.listen,
        tls: served.tls,
        tls_cert: served.tls_cert,
        tls_key: served.tls_key,
        config: cli.general.config,
        data_dir: cli.general.data_dir,
        log_format: cli.general.log_format,
        log: cli.general.log.or(quiet),
    };
    let settings = Settings::gather(flags, environment).map_err(|error| Trouble::usage(&error))?;
    crate::telemetry::init(settings.log_format, &settings.log).map_err(|error| Trouble::failed(&error))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Trouble::failed(&error))?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Replicate(command) => command.run(&settings).await,
            Command::Job(command) => command.run(&settings).await,
            Command::Serve(command) => command.run(&settings).await,
            Command::User(command) => command.run(&settings).await,
            Command::Token(command) => command.run(&settings).await,
            Command::Audit(command) => command.run(&settings).await,
            Command::Doctor(command) => command.run(&settings).await,
            Command::Openapi(command) => Ok(command.run()),
            Command::Backup(command) => command.run(&settings),
            Command::Restore(command) => command.run(&settings),
            Command::Demo(command) => command.run(&settings).await,
            Command::Sim(command) => command.run().await,
            Command::Version(command) => Ok(command.run()),
        }
    });
    // What still hangs in a dead connection is not waited for.
    runtime.shutdown_background();
    exit
}
