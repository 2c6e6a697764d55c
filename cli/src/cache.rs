//! The user's cache folder: guests, and what is learnt about code.

use std::env;
use std::ffi::OsString;
use std::path::{self, Path, PathBuf};

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder, as in `resources/guests/fetch`; `None` without a home.
pub(crate) fn folder() -> Option<PathBuf> {
    if let Some(cache) = variable("POLYVISOR_CACHE") {
        return Some(cache.into());
    }
    let parent = match variable("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&variable("HOME")?).join(".cache"),
    };
    Some(parent.join("polyvisor"))
}

/// Where what is learnt about code is kept; `None` if it is not to be. `off`: the option says so.
pub(crate) fn learnt(off: bool) -> Option<PathBuf> {
    if off || variable("POLYVISOR_NO_LEARN").is_some() {
        return None;
    }
    // A guest program may go elsewhere.
    path::absolute(folder()?.join("learnt")).ok()
}
