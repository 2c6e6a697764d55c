//! The guests that `./x guest` fetched.

use std::fs;
use std::path::PathBuf;

use api::Isa;

use crate::cache;

/// A guest in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: Option<PathBuf>,
    pub(crate) cmdline: Option<String>,
}

impl Guest {
    /// The guest for `isa`, or what to do to have one.
    pub(crate) fn find(isa: Isa) -> Result<Self, String> {
        let advice = format!(
            "give a kernel with --kernel, or let `./x guest {isa}` fetch one (in Polyvisor's \
             source folder)"
        );
        let Some(cache) = cache::folder() else {
            return Err(format!(
                "there is no kernel to boot, and no HOME to look for one: {advice}"
            ));
        };
        let list = cache.join(isa.name()).join("guest");
        let text = fs::read_to_string(&list)
            .map_err(|_| format!("there is no kernel to boot: {advice}"))?;
        Self::parse(&text).ok_or_else(|| format!("{} names no kernel: {advice}", list.display()))
    }

    /// Reads lines of `KEY=VALUE`.
    fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| {
            let value = |line: &'_ str| Some(line.strip_prefix(key)?.strip_prefix('=')?.to_owned());
            text.lines().find_map(value).filter(|value| !value.is_empty())
        };
        Some(Self {
            kernel: field("kernel")?.into(),
            initrd: field("initrd").map(PathBuf::from),
            cmdline: field("cmdline"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_list_is_read() {
        let text = "initrd=/c/initrd\nkernel=/c/kernel\ncmdline=console=ttyS0\nversion=6.12\n";
        let guest = Guest::parse(text).unwrap();
        assert_eq!(guest.kernel, Path::new("/c/kernel"));
        assert_eq!(guest.cmdline.as_deref(), Some("console=ttyS0"));
        assert_eq!(Guest::parse("kernel=\ninitrd=x\n"), None);
        assert_eq!(Guest::parse("kernel_extra=x\n"), None);
    }
}
