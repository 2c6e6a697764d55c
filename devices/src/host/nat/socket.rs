//! The host's sockets, all nonblocking.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpStream, UdpSocket};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::core::unreachable;

/// A socket for ICMP echo to `target`, which the kernel lets unprivileged groups have.
pub(super) fn ping(target: Ipv4Addr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    socket.connect(&SocketAddr::from((target, 0)).into())?;
    Ok(socket)
}

/// A UDP socket that speaks with `peer` alone, from a port of the host's choice.
pub(super) fn udp_to(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(peer)?;
    Ok(socket)
}

/// Closes so that the peer is told with a RST that the stream was cut.
pub(super) fn cut(stream: TcpStream) {
    // Where the option fails, the peer sees an orderly end instead: no worse than a plain close.
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// What a failed connection attempt is to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The peer said no: RST.
    Reset,
    /// The peer cannot be reached: ICMP "destination unreachable" with this code.
    Unreachable(u8),
}

impl Refusal {
    pub(super) fn of(error: &io::Error) -> Refusal {
        match error.kind() {
            ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
                Refusal::Unreachable(unreachable::NET)
            }
            ErrorKind::HostUnreachable | ErrorKind::TimedOut => {
                Refusal::Unreachable(unreachable::HOST)
            }
            ErrorKind::PermissionDenied => Refusal::Unreachable(unreachable::PROHIBITED),
            _ => Refusal::Reset,
        }
    }
}
