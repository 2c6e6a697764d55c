//! `polyvisor run`: options to a specification, and the machine's end to an exit status.

use api::{
    AccelKind, AccelSpec, BackendKind, BackendSpec, BoardSpec, DeviceKind, DeviceSpec, Firmware,
    MachineSpec, TcgKind,
};
use vmm::{Machine, Outcome};

use crate::args::{AccelArg, Run, TcgArg};
use crate::cache;
use crate::guest::Guest;

use crate::options::{FirmwareArg, Wire};
use crate::status::{Status, fail};

/// Boots the machine and stays with it.
pub(crate) fn run(mut args: Run) -> Status {
    if args.accel == AccelArg::List {
        return crate::info::print_accelerators();
    }
    if args.cpu.as_deref() == Some("help") {
        return crate::info::print_cpus(args.arch.into());
    }
    if args.kernel.is_none() && args.firmware.is_none() {
        match Guest::find(args.arch.into()) {
            Ok(guest) => boot(&mut args, guest),
            Err(advice) => return fail(Status::Usage, &advice),
        }
    }
    let ended = Machine::start(&spec(args)).and_then(Machine::wait);
    match ended {
        Ok(Outcome::PoweredOff | Outcome::Quit) => Status::Success,
        Ok(Outcome::Exit(0)) => Status::Success,
        Ok(Outcome::Exit(status)) => Status::own(status),
        Ok(Outcome::Failed) => {
            fail(Status::Guest, "the guest switched itself off and reports a failure")
        }
        Ok(Outcome::Crashed(report)) => {
            fail(Status::Guest, &format!("the guest crashed: {report}"))
        }
        Err(error) if error.is_input() => fail(Status::Usage, &error.to_string()),
        Err(error) => fail(Status::Failure, &error.to_string()),
    }
}

/// Boots the guest from the cache; what the user gives goes first.
fn boot(args: &mut Run, guest: Guest) {
    args.kernel = Some(guest.kernel);
    args.initrd = args.initrd.take().or(guest.initrd);
    args.cmdline = args.cmdline.take().or(guest.cmdline);
}

/// Id of the console's back end.
const CONSOLE: &str = "console";

fn spec(args: Run) -> MachineSpec {
    let mut parts = Parts::default();
    parts.backend(CONSOLE, BackendKind::Char { to: args.console.0 });
    for (index, disk) in args.disk.into_iter().enumerate() {
        let id = disk.id.unwrap_or_else(|| format!("disk{index}"));
        let backend = format!("image-{id}");
        parts.backend(&backend, BackendKind::Disk { path: disk.path, readonly: disk.readonly });
        parts.device(id, DeviceKind::VirtioBlk { backend });
    }
    for (index, net) in args.net.into_iter().enumerate() {
        let id = format!("net{index}");
        let backend = format!("wire-{id}");
        let kind = match net.wire {
            Wire::User(hostfwd) => BackendKind::Nat { hostfwd },
            Wire::Tap(name) => BackendKind::Tap { name },
        };
        parts.backend(&backend, kind);
        parts.device(id, DeviceKind::VirtioNet { backend, mac: net.mac });
    }
    parts.device("rng".into(), DeviceKind::VirtioRng);
    MachineSpec {
        isa: args.arch.into(),
        accel: AccelSpec {
            kind: match args.accel {
                AccelArg::Auto | AccelArg::List => AccelKind::Auto,
                AccelArg::Kvm => AccelKind::Kvm,
                AccelArg::Tcg => AccelKind::Tcg,
            },
            tcg: match args.tcg {
                TcgArg::Interp => TcgKind::Interp,
                TcgArg::Jit => TcgKind::Jit,
            },
            learnt: cache::learnt(args.no_learn),
            handover_ms: args.handover_every.map(|interval| interval.0),
        },
        board: BoardSpec {
            cpus: args.cpus,
            cpu: args.cpu,
            memory: args.memory.0,
            kernel: args.kernel,
            initrd: args.initrd,
            cmdline: args.cmdline,
            firmware: match args.firmware {
                None => Firmware::Builtin,
                Some(FirmwareArg::None) => Firmware::None,
                Some(FirmwareArg::File(path)) => Firmware::File(path),
            },
            console: Some(CONSOLE.into()),
        },
        devices: parts.devices,
        backends: parts.backends,
    }
}

/// Devices and back ends as they are collected.
#[derive(Default)]
struct Parts {
    devices: Vec<DeviceSpec>,
    backends: Vec<BackendSpec>,
}

impl Parts {
    fn backend(&mut self, id: &str, kind: BackendKind) {
        self.backends.push(BackendSpec { id: id.into(), kind });
    }

    fn device(&mut self, id: String, kind: DeviceKind) {
        self.devices.push(DeviceSpec { id, kind });
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn spec_of(options: &str) -> MachineSpec {
        let words = ["polyvisor", "run"].into_iter().chain(options.split_whitespace());
        match Args::try_parse_from(words).unwrap().command {
            Command::Run(args) => spec(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_option_reaches_the_specification() {
        let spec = spec_of(
            "--arch riscv64 --kernel K --initrd I --cmdline a=b --firmware F --memory 1G --cpus 4 --cpu max \
             --disk path=D,readonly,id=root --disk path=E --net user,hostfwd=tcp::1-:2 \
             --net tap=t0,mac=52:54:00:00:00:01 --console file=L --accel tcg --tcg interp \
             --no-learn --handover-every 2s",
        );
        let tcg = TcgKind::Interp;
        let kind = AccelKind::Tcg;
        let accel = AccelSpec { kind, tcg, learnt: None, handover_ms: Some(2000) };
        assert_eq!(spec.accel, accel);
        assert_eq!((spec.board.cpus, spec.board.memory), (4, 1 << 30));
        assert_eq!(spec.board.cpu.as_deref(), Some("max"));
        assert_eq!(spec.board.firmware, Firmware::File("F".into()));
        assert_eq!(spec.board.cmdline.as_deref(), Some("a=b"));
        let ids: Vec<&str> = spec.devices.iter().map(|device| device.id.as_str()).collect();
        assert_eq!(ids, ["root", "disk1", "net0", "net1", "rng"]);
        let disk = BackendKind::Disk { path: "D".into(), readonly: true };
        assert!(spec.backends.iter().any(|backend| backend.kind == disk));
        let nat = BackendKind::Nat { hostfwd: vec!["tcp::1-:2".into()] };
        assert!(spec.backends.iter().any(|backend| backend.kind == nat));
    }

    #[test]
    fn the_defaults() {
        let spec = spec_of("--kernel K --firmware none");
        assert_eq!(spec.board.firmware, Firmware::None);
        assert_eq!((spec.board.cpus, spec.board.memory), (1, 512 << 20));
        let learnt = cache::learnt(false);
        assert_eq!(spec.accel, AccelSpec { learnt, ..AccelSpec::default() });
    }

    #[test]
    fn the_fetched_guest_fills_what_is_left_open() {
        let words = ["polyvisor", "run", "--cmdline", "mine"];
        let Command::Run(mut args) = Args::try_parse_from(words).unwrap().command else {
            panic!("run")
        };
        let cmdline = Some("theirs".into());
        boot(&mut args, Guest { kernel: "K".into(), initrd: Some("I".into()), cmdline });
        assert_eq!((args.kernel, args.initrd), (Some("K".into()), Some("I".into())));
        assert_eq!(args.cmdline.as_deref(), Some("mine"));
    }
}
