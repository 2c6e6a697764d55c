//! A tap interface of the host's as a network card's wire (`tap=NAME`).
//!
//! The interface is opened, or made if the user may do that; giving it an address, a bridge and
//! bringing it up is the administrator's. Frames are plain Ethernet (IFF_NO_PI, no offloads).
#![expect(unsafe_code, reason = "attaching to a tap interface is an ioctl")]

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::virtio::net::NetBackend;

/// Where tap interfaces are opened.
const DEVICE: &str = "/dev/net/tun";

/// Why a tap interface cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The name is not one that an interface can have.
    #[error(
        "{0:?} cannot be the name of a network interface; use 1 to {max} characters without \
         slashes or blanks, as in `tap0`",
        max = libc::IFNAMSIZ - 1
    )]
    Name(String),
    /// The host offers no tap interfaces at all.
    #[error("{DEVICE} cannot be opened: {0}; load the kernel's module `tun`, or ask for access")]
    Device(#[source] io::Error),
    /// The user may neither make nor attach to it.
    #[error(
        "this user may not use the tap interface {0}; an administrator can allow it with \
         `ip tuntap add dev {0} mode tap user NAME`"
    )]
    NotAllowed(String),
    /// Another process is attached.
    #[error("the tap interface {0} is in use by another process; give each machine its own")]
    InUse(String),
    /// There is an interface of that name of another kind.
    #[error("the network interface {0} is not a single-queue tap interface; choose another name")]
    NotTap(String),
    /// Anything else the host says.
    #[error("the tap interface {name} cannot be attached to: {source}")]
    Host {
        /// Interface.
        name: String,
        /// What the host says.
        #[source]
        source: io::Error,
    },
}

/// An attached tap interface.
#[derive(Debug)]
pub struct Tap {
    file: File,
    name: String,
    /// The interface was taken away; there is nothing to wait for any more.
    gone: bool,
}

impl Tap {
    /// Attaches to the tap interface `name`, which is made if it is missing and the user may.
    pub fn open(name: &str) -> Result<Self, TapError> {
        let request_name = interface_name(name)?;
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(DEVICE)
            .map_err(TapError::Device)?;
        attach(&file, request_name).map_err(|source| explain(name.into(), source))?;
        Ok(Self { file, name: name.into(), gone: false })
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl NetBackend for Tap {
    fn send(&mut self, frame: &[u8]) {
        // One write is one frame. An interface that is down or full drops it, as a wire would.
        let _dropped = self.file.write(frame);
    }

    fn receive(&mut self, buf: &mut [u8]) -> Option<usize> {
        if self.gone {
            return None;
        }
        loop {
            match self.file.read(buf) {
                Ok(0) => return None,
                Ok(len) => return Some(len),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => {
                    tracing::warn!("the tap interface {} is gone: {error}", self.name);
                    self.gone = true;
                    return None;
                }
            }
        }
    }

    fn poll_fds(&self) -> Vec<(RawFd, i16)> {
        if self.gone { Vec::new() } else { vec![(self.file.as_raw_fd(), libc::POLLIN)] }
    }

    fn tick(&mut self) -> Option<u64> {
        None
    }

    fn reset(&mut self) {
        // What arrived for the driver that is gone is not for the next one. Bounded, because
        // more may arrive all the time.
        let mut scrap = [0; 2048];
        for _ in 0..1024 {
            if self.receive(&mut scrap).is_none() {
                break;
            }
        }
    }
}

/// The name as the kernel takes it, filled up with zeros.
fn interface_name(name: &str) -> Result<[libc::c_char; libc::IFNAMSIZ], TapError> {
    let fits = (1..libc::IFNAMSIZ).contains(&name.len()) && name != "." && name != "..";
    // A `%` would have the kernel choose a number.
    let plain = name.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%'));
    if !(fits && plain) {
        return Err(TapError::Name(name.into()));
    }
    let mut padded = [0; libc::IFNAMSIZ];
    for (to, from) in padded.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(padded)
}

fn attach(file: &File, name: [libc::c_char; libc::IFNAMSIZ]) -> io::Result<()> {
    let flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    let mut request = libc::ifreq {
        ifr_name: name,
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which `request` is, exclusively borrowed
    // for the call; the descriptor is that of an open file.
    let failed = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as _, &mut request) } < 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn explain(name: String, source: io::Error) -> TapError {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => TapError::NotAllowed(name),
        Some(libc::EBUSY) => TapError::InUse(name),
        Some(libc::EINVAL) => TapError::NotTap(name),
        _ => TapError::Host { name, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_names_are_refused_before_the_host_is_asked() {
        for name in ["", "a-name-too-long!", "with space", "a/b", "tap%d", "..", "täp", "a:1"] {
            assert!(matches!(Tap::open(name), Err(TapError::Name(_))), "{name:?}");
        }
        let padded = interface_name("tap0").unwrap();
        assert_eq!(&padded[..5], b"tap0\0".map(|b| b as libc::c_char));
        assert!(interface_name("exactly15chars-").is_ok());
    }

    #[test]
    fn what_the_host_says_becomes_advice() {
        let say = |errno| explain("tap7".into(), io::Error::from_raw_os_error(errno)).to_string();
        assert!(say(libc::EPERM).contains("ip tuntap add dev tap7 mode tap"));
        assert!(say(libc::EBUSY).contains("tap7 is in use"));
        assert!(say(libc::EINVAL).contains("tap7 is not a single-queue tap"));
        assert!(say(libc::ENOMEM).contains("tap7 cannot be attached"));
    }
}
