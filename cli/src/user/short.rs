//! The usual command lines of `polyvisor user`, understood without clap: programs start each other
//! by the thousand, and making the whole tree of options takes longer than loading a program.

use std::ffi::OsString;

use clap::ValueEnum;

use crate::args::{ArchArg, User};

/// What the words behind `user` mean; `None` for what is left to clap: other options, and mistakes.
pub(super) fn parse(mut words: impl Iterator<Item = OsString>) -> Option<User> {
    let mut user = User::default();
    let program = loop {
        let word = words.next()?;
        match word.to_str() {
            Some("--arch") => {
                let name = words.next()?;
                let mut all = ArchArg::value_variants().iter();
                user.arch = Some(*all.find(|arch| name == arch.name())?);
            }
            Some("-L" | "--sysroot") => user.sysroot = Some(words.next()?.into()),
            Some("--argv0") => user.argv0 = Some(words.next()?),
            Some("--own-fd") => user.own_fd = Some(words.next()?.to_str()?.parse().ok()?),
            Some("--no-aslr") => user.no_aslr = true,
            Some("--no-learn") => user.no_learn = true,
            Some("--strace") => user.strace = true,
            Some("--") => break words.next()?,
            Some(word) if word.starts_with('-') => return None,
            _ => break word,
        }
    };
    user.program = Some(program);
    user.args = words.collect();
    Some(user)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};

    fn short(line: &str) -> Option<User> {
        parse(line.split(' ').map(OsString::from))
    }

    fn long(line: &str) -> User {
        let words = ["polyvisor", "user"].into_iter().chain(line.split(' '));
        match Args::try_parse_from(words).map(|args| args.command) {
            Ok(Command::User(user)) => *user,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn it_means_what_clap_says() {
        for line in [
            "a",
            "./a b c",
            "a -b --strace",
            "--arch riscv64 a",
            "--arch x86_64 -L /root a b",
            "--sysroot /root --strace --no-aslr --no-learn -- -a -b",
            "--own-fd 1000 --argv0 b -- /bin/a b c",
        ] {
            assert_eq!(short(line).as_ref(), Some(&long(line)), "{line}");
        }
    }

    #[test]
    fn the_rest_is_left_to_clap() {
        for line in ["--help", "--arch vax a", "--cpu max a", "--own-fd x a", "--install", "-L"] {
            assert_eq!(short(line), None, "{line}");
        }
    }
}
