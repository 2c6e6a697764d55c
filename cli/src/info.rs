//! `polyvisor info`.

use std::fmt::Write as _;

use vmm::{Availability, Info};

use crate::args;
use crate::status::{self, Status, fail};

/// Prints what there is.
pub(crate) fn print(args: &args::Info) -> Status {
    let info = vmm::info();
    let text = if args.json {
        match serde_json::to_string_pretty(&info) {
            Ok(text) => text + "\n",
            Err(error) => return fail(Status::Failure, &format!("cannot write JSON: {error}")),
        }
    } else {
        tables(&info)
    };
    status::print(text.as_bytes())
}

/// Prints the accelerators alone.
pub(crate) fn print_accelerators() -> Status {
    let mut text = String::new();
    vmm::accelerators().iter().for_each(|entry| line(&mut text, entry));
    status::print(text.as_bytes())
}

fn tables(info: &Info) -> String {
    let mut text = format!("polyvisor {}\n", info.version);
    for (title, list) in [
        ("accelerators", &info.accelerators),
        ("guests", &info.guests),
        ("devices", &info.devices),
        ("disk formats", &info.formats),
    ] {
        let _ = writeln!(text, "\n{title}:");
        list.iter().for_each(|entry| line(&mut text, entry));
    }
    text
}

fn line(text: &mut String, entry: &Availability) {
    let Availability { name, about, missing } = entry;
    let _ = match missing {
        None => writeln!(text, "  {name:<15} {about}"),
        Some(why) => writeln!(text, "  {name:<15} {about}; not here: {why}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_everything() {
        let info = vmm::info();
        let text = tables(&info);
        for entry in info.accelerators.iter().chain(&info.guests).chain(&info.devices) {
            assert!(text.contains(entry.name), "{text}");
        }
    }
}
