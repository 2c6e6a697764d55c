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

/// Prints the models of CPUs for an architecture, and the features that can be changed.
pub(crate) fn print_cpus(isa: api::Isa) -> Status {
    let vmm::Cpus { models, features } = vmm::cpus(isa);
    let mut text = format!("models of {isa} CPUs:\n");
    models.iter().for_each(|entry| line(&mut text, entry));
    if !features.is_empty() {
        text += "\nfeatures, to be added as +NAME or left out as -NAME:\n";
        text += &columns(&features);
    }
    status::print(text.as_bytes())
}

/// Names in lines of less than 80 characters.
fn columns(names: &[&str]) -> String {
    let mut text = String::new();
    let mut width = usize::MAX;
    for name in names {
        if width.saturating_add(name.len()) >= 78 {
            text += if text.is_empty() { " " } else { "\n " };
            width = 1;
        }
        let _ = write!(text, " {name}");
        width += 1 + name.len();
    }
    text + "\n"
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
    fn names_are_broken_into_lines() {
        assert_eq!(columns(&["a", "bc"]), "  a bc\n");
        let names = ["avx512_vpopcntdq"; 10];
        let text = columns(&names);
        assert!(text.lines().all(|line| line.len() < 80 && line.starts_with("  a")), "{text}");
        assert_eq!(text.split_whitespace().count(), 10);
    }

    #[test]
    fn the_table_names_everything() {
        let info = vmm::info();
        let text = tables(&info);
        for entry in info.accelerators.iter().chain(&info.guests).chain(&info.devices) {
            assert!(text.contains(entry.name), "{text}");
        }
    }
}
