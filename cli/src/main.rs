//! `polyvisor`: virtual machines from the command line.

mod args;
mod cache;
mod guest;
mod info;
mod options;
mod run;
mod status;
mod user;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use args::{Args, Command};
use status::Status;

fn main() -> ExitCode {
    if let Some(status) = user::started_by_kernel() {
        return status.into();
    }
    if let Some(status) = user::given_alone() {
        return status.into();
    }
    let args = Args::parse();
    log_to_stderr();
    let status = match args.command {
        Command::Run(args) => run::run(*args),
        Command::User(args) => user::run(*args),
        Command::Info(args) => info::print(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "polyvisor", &mut script);
            status::print(&script)
        }
        Command::Man => man(),
    };
    status.into()
}

/// Warnings, and what `POLYVISOR_LOG` asks for beyond (`info`, `vmm=debug`).
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("POLYVISOR_LOG").unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .without_time()
        .with_target(false)
        .init();
}

/// One page for the program and each of its commands.
fn man() -> Status {
    let mut page = Vec::new();
    let command = Args::command();
    let render =
        |command: clap::Command, page: &mut Vec<u8>| clap_mangen::Man::new(command).render(page);
    let mut rendered = render(command.clone(), &mut page);
    for sub in command.get_subcommands() {
        let name = format!("polyvisor-{}", sub.get_name());
        rendered = rendered.and_then(|()| render(sub.clone().display_name(name), &mut page));
    }
    match rendered {
        Ok(()) => status::print(&page),
        Err(error) => status::fail(Status::Failure, &format!("cannot write the page: {error}")),
    }
}
