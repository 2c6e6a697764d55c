//! What the user says about the network, and what can be wrong with it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// Transport of a forwarded port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP connections.
    Tcp,
    /// UDP datagrams.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// A port of the host that leads to a port of the guest.
///
/// Its text is `tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport`, as QEMU's users write it:
/// `tcp:127.0.0.1:2222-:22`. An empty host address means all of the host's IPv4 addresses, an
/// empty guest address the one that DHCP leases first; an IPv6 host address stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFwd {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where the host listens; port 0 lets the host choose one, see [`super::Nat::forwards`].
    pub host: SocketAddr,
    /// The guest's address; `None` is the first address that DHCP leases.
    pub guest: Option<Ipv4Addr>,
    /// The guest's port, not 0.
    pub guest_port: u16,
}

impl fmt::Display for HostFwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-", self.protocol, self.host)?;
        if let Some(guest) = self.guest {
            write!(f, "{guest}")?;
        }
        write!(f, ":{}", self.guest_port)
    }
}

/// Why the text of a [`HostFwd`] was refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum HostFwdError {
    /// The separators are not where they belong.
    #[error(
        "hostfwd={text} is not of the form tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport; \
         for example, hostfwd=tcp:127.0.0.1:2222-:22 leads port 2222 of the host to port 22 of \
         the guest"
    )]
    Form {
        /// What was given.
        text: String,
    },
    /// Neither `tcp` nor `udp`.
    #[error("hostfwd={text}: the protocol is {found:?}; it can be tcp or udp")]
    Protocol {
        /// What was given.
        text: String,
        /// The part at fault.
        found: String,
    },
    /// The host's address is none.
    #[error(
        "hostfwd={text}: the host address {found:?} is neither an IPv4 address nor an IPv6 \
         address in brackets; leave it empty to listen on all IPv4 addresses of the host"
    )]
    HostAddress {
        /// What was given.
        text: String,
        /// The part at fault.
        found: String,
    },
    /// The guest's address is none.
    #[error(
        "hostfwd={text}: the guest address {found:?} is not an IPv4 address; leave it empty for \
         the address that the guest gets by DHCP"
    )]
    GuestAddress {
        /// What was given.
        text: String,
        /// The part at fault.
        found: String,
    },
    /// A port is no number, or out of range.
    #[error("hostfwd={text}: the {side} port {found:?} is not a number from {least} to 65535")]
    Port {
        /// What was given.
        text: String,
        /// `"host"` or `"guest"`.
        side: &'static str,
        /// The part at fault.
        found: String,
        /// The smallest port allowed there.
        least: u16,
    },
}

impl FromStr for HostFwd {
    type Err = HostFwdError;

    fn from_str(text: &str) -> Result<Self, HostFwdError> {
        let owned = || text.to_owned();
        let form = || HostFwdError::Form { text: owned() };
        let (protocol, rest) = text.split_once(':').ok_or_else(form)?;
        let (host, guest) = rest.split_once('-').ok_or_else(form)?;
        let (host_address, host_port) = host.rsplit_once(':').ok_or_else(form)?;
        let (guest_address, guest_port) = guest.rsplit_once(':').ok_or_else(form)?;
        let port = |side, found: &str, least| {
            found.parse().ok().filter(|port| *port >= least).ok_or_else(|| HostFwdError::Port {
                text: owned(),
                side,
                found: found.to_owned(),
                least,
            })
        };
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            found => {
                return Err(HostFwdError::Protocol { text: owned(), found: found.to_owned() });
            }
        };
        let host_ip = parse_host_address(host_address).ok_or_else(|| {
            HostFwdError::HostAddress { text: owned(), found: host_address.to_owned() }
        })?;
        let guest = match guest_address {
            "" => None,
            found => Some(found.parse().map_err(|_| HostFwdError::GuestAddress {
                text: owned(),
                found: found.to_owned(),
            })?),
        };
        Ok(HostFwd {
            protocol,
            host: SocketAddr::new(host_ip, port("host", host_port, 0)?),
            guest,
            guest_port: port("guest", guest_port, 1)?,
        })
    }
}

fn parse_host_address(text: &str) -> Option<IpAddr> {
    if text.is_empty() {
        return Some(Ipv4Addr::UNSPECIFIED.into());
    }
    match text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Where the guest's DNS queries are relayed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolvers {
    /// The `nameserver` lines of a file in the form of resolv.conf(5), read again whenever it
    /// changes.
    File(PathBuf),
    /// These addresses, in order of preference.
    Fixed(Vec<SocketAddr>),
}

impl Default for Resolvers {
    fn default() -> Self {
        Resolvers::File("/etc/resolv.conf".into())
    }
}

/// The network that the guest sees, and what of the host it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatConfig {
    /// Ports of the host that lead to the guest.
    pub hostfwd: Vec<HostFwd>,
    /// The network's address; 10.0.2.0.
    pub network: Ipv4Addr,
    /// Bits of the network's mask, from 8 to 29; 24.
    pub prefix: u8,
    /// The gateway's address, behind which the host's loopback answers; 10.0.2.2.
    pub gateway: Ipv4Addr,
    /// The address of the DNS relay; 10.0.2.3.
    pub dns: Ipv4Addr,
    /// The first address that DHCP leases, and where forwarded ports lead; 10.0.2.15.
    pub guest: Ipv4Addr,
    /// The host name told to the guest by DHCP, if any.
    pub hostname: Option<String>,
    /// Where DNS queries go; /etc/resolv.conf.
    pub resolvers: Resolvers,
    /// Whether the guest reaches servers on the host's loopback at the gateway's address; yes.
    /// Servers on the host's other addresses are part of the network either way.
    pub host_loopback: bool,
    /// Largest IPv4 packet in bytes, from 576 to 65,521; 1500. A large one (65,520) makes bulk
    /// TCP several times cheaper, if the network card can carry such frames.
    pub mtu: u16,
}

impl Default for NatConfig {
    fn default() -> Self {
        NatConfig {
            hostfwd: Vec::new(),
            network: Ipv4Addr::new(10, 0, 2, 0),
            prefix: 24,
            gateway: Ipv4Addr::new(10, 0, 2, 2),
            dns: Ipv4Addr::new(10, 0, 2, 3),
            guest: Ipv4Addr::new(10, 0, 2, 15),
            hostname: None,
            resolvers: Resolvers::default(),
            host_loopback: true,
            mtu: 1500,
        }
    }
}

impl NatConfig {
    /// The mask of the network.
    pub(super) fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }

    /// The broadcast address of the network.
    pub(super) fn broadcast(&self) -> Ipv4Addr {
        self.network | !self.mask()
    }

    /// Whether `ip` belongs to the network and could be a guest's.
    pub(super) fn is_guest(&self, ip: Ipv4Addr) -> bool {
        self.contains(ip)
            && ip != self.network
            && ip != self.broadcast()
            && ip != self.gateway
            && ip != self.dns
    }

    /// Whether `ip` belongs to the network.
    pub(super) fn contains(&self, ip: Ipv4Addr) -> bool {
        ip & self.mask() == self.network
    }

    /// Checks what the types cannot.
    pub(super) fn check(&self) -> Result<(), NatError> {
        let refuse = |what: String| Err(NatError::Config { what });
        if !(8..=29).contains(&self.prefix) {
            return refuse(format!(
                "a network of /{} does not fit; use a prefix from 8 to 29",
                self.prefix
            ));
        }
        if self.network & self.mask() != self.network {
            return refuse(format!(
                "{}/{} is not the address of a network; did you mean {}/{}?",
                self.network,
                self.prefix,
                self.network & self.mask(),
                self.prefix
            ));
        }
        if self.network.is_loopback()
            || self.network.is_multicast()
            || self.network.octets()[0] == 0
        {
            return refuse(format!(
                "{} cannot be a guest's network; use a private one, such as 10.0.2.0/24",
                self.network
            ));
        }
        for (name, ip) in [("gateway", self.gateway), ("DNS", self.dns), ("guest", self.guest)] {
            if !self.contains(ip) || ip == self.network || ip == self.broadcast() {
                return refuse(format!(
                    "the {name} address {ip} is not a host address of the network {}/{}",
                    self.network, self.prefix
                ));
            }
        }
        if self.gateway == self.dns || self.gateway == self.guest || self.dns == self.guest {
            return refuse(format!(
                "gateway {}, DNS {} and guest {} must be three different addresses",
                self.gateway, self.dns, self.guest
            ));
        }
        if !(576..=65_521).contains(&self.mtu) {
            return refuse(format!("an MTU of {} is not possible; use 576 to 65521", self.mtu));
        }
        if let Some(name) = self.hostname.as_deref().filter(|name| !valid_hostname(name)) {
            return refuse(format!(
                "{name:?} is not a host name; use up to 63 letters, digits, hyphens and dots"
            ));
        }
        for forward in &self.hostfwd {
            if let Some(guest) = forward.guest.filter(|ip| !self.is_guest(*ip)) {
                return refuse(format!(
                    "hostfwd={forward} leads to {guest}, which is not a guest address of the \
                     network {}/{}",
                    self.network, self.prefix
                ));
            }
            if forward.guest_port == 0 {
                return refuse(format!("hostfwd={forward} leads to port 0, which no guest has"));
            }
        }
        Ok(())
    }
}

fn valid_hostname(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Why the network could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum NatError {
    /// The configuration contradicts itself.
    #[error("the user-mode network cannot be set up: {what}")]
    Config {
        /// What is wrong, and what would be right.
        what: String,
    },
    /// Another program listens there.
    #[error(
        "hostfwd={forward}: another program (or another hostfwd) already uses {} port {} of the \
         host; stop it, or choose another host port",
        forward.protocol, forward.host.port()
    )]
    PortBusy {
        /// The forwarding that failed.
        forward: HostFwd,
    },
    /// The user may not listen there.
    #[error(
        "hostfwd={forward}: this user may not listen on {} port {} of the host; choose a port \
         from 1024 up, or grant CAP_NET_BIND_SERVICE",
        forward.protocol, forward.host.port()
    )]
    PortDenied {
        /// The forwarding that failed.
        forward: HostFwd,
    },
    /// The host does not have that address.
    #[error(
        "hostfwd={forward}: {} is not an address of this host; leave it empty to listen on all \
         addresses, or use 127.0.0.1",
        forward.host.ip()
    )]
    NoSuchAddress {
        /// The forwarding that failed.
        forward: HostFwd,
    },
    /// The host failed in another way to listen.
    #[error("hostfwd={forward}: the host cannot listen there: {source}")]
    Listen {
        /// The forwarding that failed.
        forward: HostFwd,
        /// The host's reason.
        source: io::Error,
    },
    /// The host has no poller (epoll, kqueue) for us.
    #[error(
        "the user-mode network cannot be set up: the host refused an event queue: {0}; raise the \
         limit of open files (ulimit -n)"
    )]
    Poller(#[source] io::Error),
}

impl NatError {
    pub(super) fn listen(forward: &HostFwd, source: io::Error) -> NatError {
        let forward = forward.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => NatError::PortBusy { forward },
            io::ErrorKind::PermissionDenied => NatError::PortDenied { forward },
            io::ErrorKind::AddrNotAvailable => NatError::NoSuchAddress { forward },
            _ => NatError::Listen { forward, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostfwd_reads_what_qemu_users_write() {
        let forward: HostFwd = "tcp:127.0.0.1:2222-:22".parse().unwrap();
        assert_eq!(
            forward,
            HostFwd {
                protocol: Protocol::Tcp,
                host: "127.0.0.1:2222".parse().unwrap(),
                guest: None,
                guest_port: 22
            }
        );
        let forward: HostFwd = "udp::69-10.0.2.16:6969".parse().unwrap();
        assert_eq!(forward.host, "0.0.0.0:69".parse().unwrap());
        assert_eq!(forward.guest, Some(Ipv4Addr::new(10, 0, 2, 16)));
        for text in ["tcp:127.0.0.1:2222-:22", "udp:[::1]:5353-10.0.2.16:53"] {
            assert_eq!(text.parse::<HostFwd>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn hostfwd_says_what_is_wrong() {
        let said = |text: &str| text.parse::<HostFwd>().unwrap_err().to_string();
        assert!(said("2222").contains("tcp|udp:[hostaddr]:hostport-[guestaddr]:guestport"));
        assert!(said("tcp::2222").contains("is not of the form"));
        assert!(said("sctp::1-:2").contains("the protocol is \"sctp\""));
        assert!(said("tcp:localhost:1-:2").contains("host address \"localhost\""));
        assert!(said("tcp:::1:1-:2").contains("in brackets"));
        assert!(said("tcp::x-:2").contains("the host port \"x\" is not a number from 0"));
        assert!(said("tcp::70000-:2").contains("\"70000\""));
        assert!(said("tcp::1-:0").contains("the guest port \"0\" is not a number from 1"));
        assert!(said("tcp::1-guest:2").contains("guest address \"guest\""));
    }

    #[test]
    fn contradictions_are_refused_and_named() {
        let said = |change: &dyn Fn(&mut NatConfig)| {
            let mut config = NatConfig::default();
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        assert!(NatConfig::default().check().is_ok());
        assert!(
            said(&|c| c.network = Ipv4Addr::new(10, 0, 2, 1)).contains("did you mean 10.0.2.0")
        );
        assert!(said(&|c| c.prefix = 31).contains("prefix from 8 to 29"));
        assert!(said(&|c| c.gateway = Ipv4Addr::new(10, 0, 3, 2)).contains("gateway address"));
        assert!(said(&|c| c.dns = c.gateway).contains("three different"));
        assert!(said(&|c| c.mtu = 100).contains("MTU of 100"));
        assert!(said(&|c| c.hostname = Some("a b".into())).contains("not a host name"));
        assert!(
            said(&|c| c.hostfwd = vec!["tcp::1-1.2.3.4:5".parse().unwrap()]).contains("1.2.3.4")
        );
    }
}
