//! `polyvisor user`.

mod short;

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use crate::args::{ArchArg, TcgArg, User};
use crate::cache;
use crate::status::{self, Status};
use ::user::{Options, Start, Sysroot, binfmt};

/// Runs a program, or looks after the kernel's registry.
pub(crate) fn run(args: User) -> Status {
    let arch = args.arch.map(ArchArg::name);
    if args.install {
        return told(binfmt::install(arch));
    }
    if args.remove {
        return told(binfmt::remove(arch));
    }
    if args.status {
        return told(binfmt::status());
    }
    let program = args.program.unwrap_or_default().into_vec();
    let mut argv = vec![args.argv0.map_or_else(|| program.clone(), OsString::into_vec)];
    argv.extend(args.args.into_iter().map(OsString::into_vec));
    let env = match environment(args.set, args.unset) {
        Ok(env) => env,
        Err(why) => return status::fail(Status::Usage, &why),
    };
    let stats = match args.stats.map(writable).transpose() {
        Ok(stats) => stats,
        Err(why) => return status::fail(Status::Usage, &why),
    };
    let options = Options {
        sysroot: Sysroot::new(args.sysroot),
        strace: args.strace,
        interpret: args.tcg == TcgArg::Interp,
        fixed: args.no_aslr,
        learnt: cache::learnt(args.no_learn),
        cpu: args.cpu,
        stats,
    };
    let arch = arch.map(str::to_owned);
    start(Start { options, program, args: argv, env, arch, own_fd: args.own_fd })
}

/// Runs `polyvisor user` if the command line is one of the usual ones ([`short`]).
pub(crate) fn given_alone(words: &[OsString]) -> Option<Status> {
    let (command, words) = words.get(1..)?.split_first()?;
    if command != "user" {
        return None;
    }
    short::parse(words.iter().cloned()).map(run)
}

fn start(start: Start) -> Status {
    let error = ::user::run(start);
    status::fail(Status::Own(error.status()), &error.to_string())
}

fn told(result: Result<String, binfmt::Error>) -> Status {
    match result {
        Ok(text) => status::print(text.as_bytes()),
        Err(error) => status::fail(Status::Failure, &error.to_string()),
    }
}

/// The program that the kernel had found to be for us (binfmt_misc), if it was the kernel that
/// started this process: it then says so, and gives the program's path and its `argv[0]`.
pub(crate) fn started_by_kernel(words: &[OsString]) -> Option<Status> {
    if !binfmt::started_by_kernel() {
        return None;
    }
    let mut words = words.iter().skip(1).cloned().map(OsString::into_vec);
    let program = words.next()?;
    let args: Vec<_> = words.collect();
    let env = environment(Vec::new(), Vec::new()).ok()?;
    let options = Options { learnt: cache::learnt(false), ..Options::default() };
    Some(start(Start { options, program, args, env, ..Start::default() }))
}

/// A file that can be written: its path from the root, for the program may go to another folder.
fn writable(file: PathBuf) -> Result<PathBuf, String> {
    let found =
        std::path::absolute(&file).and_then(|path| std::fs::write(&path, "").map(|()| path));
    found.map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// Our own environment, changed.
fn environment(set: Vec<OsString>, unset: Vec<OsString>) -> Result<Vec<Vec<u8>>, String> {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> =
        env::vars_os().map(|(name, value)| (name.into_vec(), value.into_vec())).collect();
    for name in unset.into_iter().map(OsString::into_vec) {
        all.retain(|(other, _)| *other != name);
    }
    for variable in set.into_iter().map(OsString::into_vec) {
        let Some(at) = variable.iter().position(|&b| b == b'=').filter(|at| *at > 0) else {
            let text = String::from_utf8_lossy(&variable).into_owned();
            return Err(format!("--env takes NAME=VALUE, and '{text}' has no name or no '='"));
        };
        let (name, value) = (variable[..at].to_vec(), variable[at + 1..].to_vec());
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
    }
    Ok(all.into_iter().map(|(name, value)| [name, value].join(&b'=')).collect())
}
