//! Which crate may depend on which: the drawing in ARCHITECTURE.md, and nothing beyond it.

use crate::report;
use crate::source::{has_word, rust_code};
use polyvisor_tests::root;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The arrows of the drawing. Crates that are not built yet may stand here already.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("cli", &["vmm", "user", "disk", "api"]),
    ("vmm", &["api", "accel", "devices", "arch"]),
    ("accel", &["tcg", "arch"]),
    ("user", &["tcg", "arch"]),
    ("devices", &["disk"]),
    // tcg-meta reads tables while tcg is built; it is no part of the program.
    ("tcg", &["arch", "tcg-meta"]),
    ("tcg-meta", &[]),
    ("arch", &[]),
    ("disk", &[]),
    ("api", &[]),
];

/// Nothing depends on the tests, so they may look at everything.
const TESTS: &[&str] = &["polyvisor-tests"];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let mut findings = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().expect("a package has a name").to_owned();
        if TESTS.contains(&name.as_str()) {
            continue;
        }
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(crate_name, _)| *crate_name == name)
        else {
            findings.push(format!("{name} is not in the drawing"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().expect("a dependency has a name");
            let ours = !dependency["path"].is_null();
            let ships = dependency["kind"].as_str() != Some("dev");
            if ours && ships && !allowed.contains(&to) {
                findings.push(format!("{name} depends on {to}"));
            }
        }
    }
    report("These dependencies are not in the drawing of the crates (ARCHITECTURE.md):", &findings);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut findings = Vec::new();
    for package in packages() {
        let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
        let text = std::fs::read_to_string(manifest).expect("the manifest is readable");
        if !text.replace(' ', "").contains("[lints]\nworkspace=true") {
            findings.push(manifest.to_owned());
        }
    }
    report("These manifests lack `[lints] workspace = true`:", &findings);
}

/// The names of what `package` depends on, as manifests spell them.
fn dependencies(package: &Value) -> BTreeSet<String> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.map(|d| d["name"].as_str().expect("a dependency has a name").to_owned()).collect()
}

#[test]
fn every_dependency_is_used() {
    let files = rust_code();
    let mut findings = Vec::new();
    let mut wanted = BTreeSet::new();
    for package in packages() {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a manifest"));
        let folder = manifest.parent().and_then(|f| f.strip_prefix(root()).ok());
        let folder = format!("{}/", folder.expect("crates lie below the root").display());
        for name in dependencies(&package) {
            let in_code = name.replace('-', "_");
            let used = files
                .iter()
                .filter(|(source, _)| source.path.starts_with(&folder))
                .any(|(_, code)| has_word(code, &in_code));
            if !used {
                findings.push(format!("{folder}Cargo.toml: {name}"));
            }
            wanted.insert(name);
        }
    }
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("the root's manifest");
    let shared = text.split("[workspace.dependencies]\n").nth(1).expect("a list of dependencies");
    let lines = shared.lines().take_while(|line| !line.starts_with('['));
    for name in lines.filter_map(|line| Some(line.split_once(" = ")?.0)) {
        if !wanted.contains(name) {
            findings.push(format!("Cargo.toml: {name}"));
        }
    }
    report("These dependencies are not used:", &findings);
}
