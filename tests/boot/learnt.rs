//! What is learnt about a kernel's code at its first boot, and used at the second.

use crate::run::*;

#[test]
fn the_second_boot_uses_what_the_first_has_learnt() {
    let folder = Folder::new("learnt");
    let boot = |more: &[&str]| {
        let mut command = kernel(JIT4, "polyvisor.report");
        command.args(more).env_remove("POLYVISOR_NO_LEARN").env("POLYVISOR_CACHE", folder.file(""));
        let mut machine = start(command);
        let uname = expect(&mut machine, "polyvisor: uname ");
        expect_power_off(&mut machine);
        uname
    };
    let kept = || -> Vec<u64> {
        let entries = std::fs::read_dir(folder.file("learnt")).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().extension().is_some());
        files.map(|file| file.metadata().expect("a file").len()).collect()
    };
    let uname = boot(&["--no-learn"]);
    assert!(kept().is_empty());
    assert_eq!(boot(&[]), uname);
    // A kernel's boot has twenty thousand hot blocks.
    let first = kept();
    assert!(first.len() == 1 && first[0] > 30_000, "{first:?}");
    assert_eq!(boot(&[]), uname);
    assert_eq!(kept().len(), 1);
}
