//! `bench-start`: how soon virtual machine monitors come to their guest, and what they weigh.
//!
//! Each starts the same guests on KVM, alternately and several times: a program of a few bytes,
//! whose first instructions print a character, and a stock kernel up to the first line of its
//! init. Measured is the time from the start of the process to the character and to the line, as
//! whoever reads the console sees it, and then the resident memory beyond the guest's own.
//!
//! It runs where KVM is: on such a host, or in a virtual machine that emulates one, and then
//! only the ratios count. Peers that are not given are left out.

mod peer;
mod probe;
mod tiny;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use peer::{Guest, Peer};
use probe::Sample;

/// Compares the start of x86_64 guests under Polyvisor and other virtual machine monitors.
#[derive(Parser)]
struct Options {
    /// Polyvisor's binary.
    #[arg(long)]
    polyvisor: PathBuf,
    /// QEMU's binary; it runs its machine `microvm`.
    #[arg(long)]
    qemu: Option<PathBuf>,
    /// Cloud Hypervisor's binary.
    #[arg(long)]
    cloud_hypervisor: Option<PathBuf>,
    /// Firecracker's binary.
    #[arg(long)]
    firecracker: Option<PathBuf>,
    /// A kernel that all of them boot: a bzImage, or an ELF file if Firecracker takes part.
    #[arg(long)]
    kernel: Option<PathBuf>,
    /// Its initrd, whose init prints a line with `init at`.
    #[arg(long)]
    initrd: Option<PathBuf>,
    /// How often each starts each guest.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> std::io::Result<()> {
    let folder = std::env::temp_dir().join(format!("bench-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let tiny = folder.join("tiny");
    std::fs::write(&tiny, tiny::elf())?;
    let peers = [
        Some(Peer::Polyvisor(options.polyvisor.clone())),
        options.qemu.clone().map(Peer::Qemu),
        options.cloud_hypervisor.clone().map(Peer::CloudHypervisor),
        options.firecracker.clone().map(Peer::Firecracker),
    ];
    let peers: Vec<Peer> = peers.into_iter().flatten().collect();
    let first = Guest { kernel: tiny, initrd: None, until: "!" };
    compare("to the first instruction", &peers, &first, options.rounds, &folder)?;
    if let Some(kernel) = &options.kernel {
        let (kernel, initrd) = (kernel.clone(), options.initrd.clone());
        let init = Guest { kernel, initrd, until: "init at" };
        compare("to init", &peers, &init, options.rounds, &folder)?;
    }
    std::fs::remove_dir_all(&folder)
}

/// Runs all peers `rounds` times, alternately, and prints a line for each.
fn compare(
    what: &str,
    peers: &[Peer],
    guest: &Guest,
    rounds: usize,
    folder: &std::path::Path,
) -> std::io::Result<()> {
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for (peer, samples) in peers.iter().zip(&mut samples) {
            samples.push(probe::start(peer.command(guest, folder)?, guest.until)?);
        }
    }
    println!("{what}: median and least of {rounds}, in ms; memory beyond the guest's, in KiB");
    for (peer, mut samples) in peers.iter().zip(samples) {
        samples.sort_by_key(|sample| sample.time);
        let (median, least) = (&samples[samples.len() / 2], &samples[0]);
        println!(
            "  {:<17} {:>9.1} {:>9.1} {:>8}",
            peer.name(),
            median.time.as_secs_f64() * 1e3,
            least.time.as_secs_f64() * 1e3,
            median.memory_kib.map_or("-".into(), |kib| kib.to_string()),
        );
    }
    Ok(())
}
