//! `polyvisor`: virtual machines from the command line.
#![cfg_attr(not(test), no_main)]

mod args;
mod cache;
#[cfg(not(test))]
mod entry;
mod guest;
mod info;
mod options;
mod run;
mod status;
mod user;

use std::ffi::OsString;
use std::io;

use clap::{CommandFactory, Parser};
use tracing_subscriber::EnvFilter;

use args::{Args, Command};
use status::Status;

/// Does what the words of the command line say, the first of which is our own name, and gives the
/// status to end with. Calls `prepare` before anything but a guest's program.
#[cfg_attr(test, expect(dead_code, reason = "tests begin in another way"))]
fn start(words: Vec<OsString>, prepare: fn()) -> u8 {
    let program = user::started_by_kernel(&words).or_else(|| user::given_alone(&words));
    program.unwrap_or_else(|| execute(words, prepare)).code()
}

/// The long way, through all the options that there are.
fn execute(words: Vec<OsString>, prepare: fn()) -> Status {
    let command = Args::parse_from(words).command;
    if !matches!(command, Command::User(_)) {
        prepare();
    }
    log_to_stderr();
    match command {
        Command::Run(args) => run::run(*args),
        Command::User(args) => user::run(*args),
        Command::Info(args) => info::print(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "polyvisor", &mut script);
            status::print(&script)
        }
        Command::Man => man(),
    }
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
