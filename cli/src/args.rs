//! The command line as clap understands it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::options::{Console, Disk, FirmwareArg, Interval, Net, Size};

/// A virtual machine monitor with a software CPU of its own.
#[derive(Debug, Parser)]
#[command(name = "polyvisor", version, about, max_term_width = 100)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot a virtual machine and stay with it until it ends.
    Run(Box<Run>),
    /// Run one Linux program of another architecture.
    User(Box<User>),
    /// Print what this build and this host offer, and why not where something is missing.
    Info(Info),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

const RUN_HELP: &str = "\
Console: with a terminal as standard input, Ctrl-A x ends the machine and Ctrl-A h lists more keys.

Exit status:
  0    the guest switched itself off, or was ended with Ctrl-A x
  1    Polyvisor or the host failed
  2    the options, or the files that they name, cannot be used
  100  the guest crashed: no CPU of it could go on, or it says that something is wrong with it
  else the status that a guest reports through HTIF (tohost), the board's test finisher or
       debug-exit port; 255 for any that is larger

Environment:
  POLYVISOR_LOG       what to log to standard error: warn (the default), info, debug, vmm=trace ...
  POLYVISOR_CACHE     where `./x guest` keeps guests, and what is learnt about code is kept (in
                      `learnt`); ~/.cache/polyvisor unless set
  POLYVISOR_NO_LEARN  not empty: the same as --no-learn";

#[derive(Debug, clap::Args)]
#[command(after_long_help = RUN_HELP, after_help = "`polyvisor run --help` tells more, such as \
    the exit statuses.")]
pub(crate) struct Run {
    /// The guest's architecture.
    #[arg(long, value_enum, default_value_t = ArchArg::Riscv64)]
    pub(crate) arch: ArchArg,

    /// Linux kernel (Image, also compressed, bzImage or ELF), or what the firmware is to start; without
    /// --kernel and --firmware, the guest that `./x guest` fetched.
    #[arg(long, value_name = "FILE")]
    pub(crate) kernel: Option<PathBuf>,

    /// Initial RAM disk.
    #[arg(long, value_name = "FILE")]
    pub(crate) initrd: Option<PathBuf>,

    /// The kernel's command line.
    #[arg(long, value_name = "TEXT")]
    pub(crate) cmdline: Option<String>,

    /// Firmware that starts the kernel (OpenSBI, U-Boot; riscv64 only); `none` starts the kernel as a program
    /// for the bare machine. Otherwise Polyvisor is the firmware.
    #[arg(long, value_name = "FILE|none")]
    pub(crate) firmware: Option<FirmwareArg>,

    /// Memory; K, M, G or T for units of 1024.
    #[arg(long, value_name = "SIZE", default_value = "512M")]
    pub(crate) memory: Size,

    /// Number of CPUs.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=254))]
    pub(crate) cpus: u32,

    /// The CPUs' model, MODEL[,+FEATURE|,-FEATURE]...; `help` lists what --arch has, and ends.
    #[arg(long, value_name = "MODEL,...|help")]
    pub(crate) cpu: Option<String>,

    /// Add a disk with a raw image: path=FILE[,readonly][,id=NAME]; repeatable.
    #[arg(long, value_name = "path=FILE,...")]
    pub(crate) disk: Vec<Disk>,

    /// Add a network card: user[,hostfwd=tcp:127.0.0.1:2222-:22]... goes out through this
    /// process, tap=NAME through an interface; [,mac=52:54:00:12:34:56]; repeatable.
    #[arg(long, value_name = "user|tap=NAME,...")]
    pub(crate) net: Vec<Net>,

    /// Where the serial console leads: stdio, file=FILE, pty or none.
    #[arg(long, value_name = "BACKEND", default_value = "stdio")]
    pub(crate) console: Console,

    /// What runs the guest's code; `list` says what there is, and ends.
    #[arg(long, value_enum, default_value_t = AccelArg::Auto)]
    pub(crate) accel: AccelArg,

    /// Have the accelerators that are at hand take the running guest over from one another every
    /// so often (1s, 200ms): a test of theirs.
    #[arg(long, value_name = "TIME")]
    pub(crate) handover_every: Option<Interval>,

    /// How the software CPU runs it: translate what is hot, or interpret everything.
    #[arg(long, value_enum, default_value_t = TcgArg::Jit)]
    pub(crate) tcg: TcgArg,

    /// Neither use nor keep what the software CPU learns about code, by which the next boot of a
    /// guest is faster.
    #[arg(long)]
    pub(crate) no_learn: bool,
}

const USER_HELP: &str = "\
Exit status: the program's own; a signal that ends it ends Polyvisor. Of Polyvisor itself:
  1    --install, --remove or --status failed
  2    the options cannot be used
  126  the program, or the interpreter that it names, cannot be run
  127  there is no such program

Environment:
  POLYVISOR_CACHE     where what is learnt about code is kept (in `learnt`); ~/.cache/polyvisor
                      unless set
  POLYVISOR_NO_LEARN  not empty: the same as --no-learn";

#[derive(Debug, Default, PartialEq, Eq, clap::Args)]
#[command(after_long_help = USER_HELP, after_help = "`polyvisor user --help` tells more, such as \
    the exit statuses.")]
pub(crate) struct User {
    /// The program's architecture; found out from its file unless given. With --install and
    /// --remove: the one to be registered.
    #[arg(long, value_enum)]
    pub(crate) arch: Option<ArchArg>,

    /// The folder that holds the files of the program's system: absolute paths are looked up
    /// there first.
    #[arg(short = 'L', long, value_name = "FOLDER")]
    pub(crate) sysroot: Option<PathBuf>,

    /// Print system calls to standard error.
    #[arg(long)]
    pub(crate) strace: bool,

    /// The processor's model; `max` has all that is implemented.
    #[arg(long, value_name = "MODEL")]
    pub(crate) cpu: Option<String>,

    /// Set a variable of the program's environment; repeatable.
    #[arg(short = 'E', long = "env", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<OsString>,

    /// Take a variable out of the program's environment; repeatable.
    #[arg(short = 'U', long = "unset-env", value_name = "NAME")]
    pub(crate) unset: Vec<OsString>,

    /// What the program is told as its own name.
    #[arg(long, value_name = "NAME")]
    pub(crate) argv0: Option<OsString>,

    /// How the software CPU runs it: translate what is hot, or interpret everything.
    #[arg(long, value_enum, default_value_t = TcgArg::Jit)]
    pub(crate) tcg: TcgArg,

    /// Neither use nor keep what is learnt about code, by which the next start of a program is
    /// faster.
    #[arg(long)]
    pub(crate) no_learn: bool,

    /// Write to this file at the end what translating the program has taken, as JSON: blocks,
    /// guest instructions, bytes of code, nanoseconds; and KiB of memory at most. Programs that it
    /// starts are not counted.
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,

    /// Use the same addresses each time.
    #[arg(long)]
    pub(crate) no_aslr: bool,

    /// The descriptor of our own executable, from a program that has started this one.
    #[arg(long, hide = true, value_name = "FD")]
    pub(crate) own_fd: Option<i32>,

    /// Have the kernel run programs of other architectures with this Polyvisor (binfmt_misc).
    #[arg(long, group = "registry", conflicts_with = "program")]
    pub(crate) install: bool,

    /// Undo --install.
    #[arg(long, group = "registry", conflicts_with = "program")]
    pub(crate) remove: bool,

    /// Say what is registered with the kernel.
    #[arg(long, group = "registry", conflicts_with = "program")]
    pub(crate) status: bool,

    /// The program's file.
    #[arg(required_unless_present = "registry")]
    pub(crate) program: Option<OsString>,

    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) args: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Info {
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchArg {
    Riscv64,
    Aarch64,
    #[value(name = "x86_64")]
    X86_64,
}

impl From<ArchArg> for api::Isa {
    fn from(arch: ArchArg) -> Self {
        match arch {
            ArchArg::Riscv64 => api::Isa::Riscv64,
            ArchArg::Aarch64 => api::Isa::Aarch64,
            ArchArg::X86_64 => api::Isa::X86_64,
        }
    }
}

impl ArchArg {
    /// As Linux names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ArchArg::Riscv64 => "riscv64",
            ArchArg::Aarch64 => "aarch64",
            ArchArg::X86_64 => "x86_64",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccelArg {
    /// The best that is usable.
    Auto,
    /// The host's own processor, through Linux KVM.
    Kvm,
    /// The software CPU.
    Tcg,
    /// Print the accelerators, and why not where one cannot be used.
    List,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TcgArg {
    Interp,
    #[default]
    Jit,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }
}
