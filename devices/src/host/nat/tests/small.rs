//! ARP, DHCP, ICMP and the contract with the card.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::socket::{dhcpv4, icmp};
use smoltcp::wire::{EthernetAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, Ipv4Cidr};

use super::super::NetBackend;
use super::super::wire::{Arp, ETHERNET, Ethernet, Mac};
use super::guest::{GATEWAY, Guest, IP, MAC};
use super::{Nat, NatConfig, config, nat};
use crate::virtio::net::backend::FRAME_MAX;

#[test]
fn dhcp_leases_and_renews() {
    let hostname = Some("guest-1".to_owned());
    let mut guest = Guest::without_address(Nat::new(NatConfig { hostname, ..config() }).unwrap());
    let mut socket = dhcpv4::Socket::new();
    // Renews within a second, of the guest's clock.
    socket.set_max_lease_duration(Some(smoltcp::time::Duration::from_millis(200)));
    let handle = guest.add(socket);
    guest.cable.seen = Some(Default::default());
    let lease = guest.until("the lease", |guest| {
        match guest.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
            Some(dhcpv4::Event::Configured(lease)) => {
                Some((lease.address, lease.router, lease.dns_servers.to_vec()))
            }
            _ => None,
        }
    });
    assert_eq!(lease.0, Ipv4Cidr::new(IP, 24));
    assert_eq!(lease.1, Some(GATEWAY));
    assert_eq!(lease.2, [Ipv4Addr::new(10, 0, 2, 3)]);
    let frames = guest.cable.seen.take().unwrap();
    assert!(frames.iter().all(|frame| frame.windows(9).any(|at| at == b"\x0c\x07guest-1")));
    guest.interface.update_ip_addrs(|addresses| addresses.push(lease.0.into()).unwrap());
    guest.cable.seen = Some(Default::default());
    // The renewal is a request to the server alone, and its answer comes to us alone.
    guest.until("the renewal", |guest| {
        let seen = guest.cable.seen.as_mut().unwrap();
        let is_dhcp = |frame: &Vec<u8>| frame.len() > 300 && frame[..6] == MAC;
        seen.drain(..).find(is_dhcp)
    });
}

#[test]
fn arp_answers_for_our_stations_only() {
    let mut nat = nat();
    let mut buffer = vec![0; FRAME_MAX];
    for last in 0..=255 {
        let target = Ipv4Addr::new(10, 0, 2, last);
        let request =
            Arp { operation: Arp::REQUEST, sender: (Mac(MAC), IP), target: (Mac([0; 6]), target) };
        nat.send(&request.frame(Mac::BROADCAST));
        let answer = nat.receive(&mut buffer).map(|len| buffer[..len].to_vec());
        assert_eq!(answer.is_some(), last == 2 || last == 3, "{target}");
        if let Some(answer) = answer {
            let arp = Arp::parse(&answer[ETHERNET..]).unwrap();
            assert_eq!(Ethernet::parse(&answer).unwrap().dst, Mac(MAC));
            assert_eq!((arp.operation, arp.sender.1), (Arp::REPLY, target));
        }
    }
}

/// Pings `ip` and returns the answer: type, code and who sent it.
fn ping(guest: &mut Guest, ip: Ipv4Addr) -> (u8, u8, IpAddress) {
    let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 4096]);
    let mut socket = icmp::Socket::new(buffer(), buffer());
    socket.bind(icmp::Endpoint::Ident(0x1234)).unwrap();
    let handle = guest.add(socket);
    let request = Icmpv4Repr::EchoRequest { ident: 0x1234, seq_no: 1, data: b"0123456789abcdef" };
    let socket = guest.sockets.get_mut::<icmp::Socket>(handle);
    let room = socket.send(request.buffer_len(), ip.into()).unwrap();
    request.emit(&mut Icmpv4Packet::new_unchecked(room), &Default::default());
    guest.cable.seen = Some(Default::default());
    // Errors do not reach the socket, so the cable is watched.
    guest.until("the answer", |guest| {
        let frame = guest.cable.seen.as_mut().unwrap().pop_front()?;
        let icmp = frame.get(23) == Some(&1);
        icmp.then(|| {
            (frame[34], frame[35], Ipv4Addr::new(frame[26], frame[27], frame[28], frame[29]).into())
        })
    })
}

#[test]
fn our_stations_answer_pings() {
    let mut guest = Guest::new(nat());
    for ip in [GATEWAY, Ipv4Addr::new(10, 0, 2, 3)] {
        assert_eq!(ping(&mut guest, ip), (0, 0, ip.into()));
    }
}

/// An address of this machine that is not on its loopback, if it has one. Connecting a UDP
/// socket sends nothing.
fn own_address() -> Option<Ipv4Addr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    match socket.local_addr().ok()?.ip() {
        std::net::IpAddr::V4(ip) if !ip.is_loopback() => Some(ip),
        _ => None,
    }
}

#[test]
fn pings_leave_if_the_host_permits_and_are_refused_otherwise() {
    let Some(own) = own_address() else {
        // A machine without a network: only what cannot be routed can be asked for.
        let mut guest = Guest::new(nat());
        let (kind, _, from) = ping(&mut guest, Ipv4Addr::new(240, 0, 0, 1));
        return assert_eq!((kind, from), (3, GATEWAY.into()));
    };
    let mut guest = Guest::new(nat());
    let answer = ping(&mut guest, own);
    match super::super::socket::ping(own) {
        Ok(_) => assert_eq!(answer, (0, 0, own.into())),
        Err(_) => assert_eq!(answer, (3, 13, GATEWAY.into())),
    }
}

#[test]
fn a_port_of_the_dns_relay_that_is_none_is_unreachable() {
    let mut guest = Guest::new(nat());
    let handle = guest.udp_socket(999);
    guest.cable.seen = Some(Default::default());
    guest.udp(handle).send_slice(b"?", (Ipv4Addr::new(10, 0, 2, 3), 99)).unwrap();
    let code = guest.until("the error", |guest| {
        let frame = guest.cable.seen.as_mut().unwrap().pop_front()?;
        (frame.get(23) == Some(&1)).then(|| (frame[34], frame[35]))
    });
    assert_eq!(code, (3, 3));
}

#[test]
fn the_descriptor_is_ready_for_answers_that_no_socket_announces() {
    let mut nat = nat();
    let mut outer = mio::Poll::new().unwrap();
    let fd = nat.poll_fds()[0].0;
    let mut source = mio::unix::SourceFd(&fd);
    outer.registry().register(&mut source, mio::Token(0), mio::Interest::READABLE).unwrap();
    let mut ready = |nat: &Nat| {
        let _ = nat.poll_fds();
        let mut events = mio::Events::with_capacity(4);
        outer.poll(&mut events, Some(Duration::ZERO)).unwrap();
        !events.is_empty()
    };
    assert!(!ready(&nat));
    let target = (Mac([0; 6]), GATEWAY);
    let request = Arp { operation: Arp::REQUEST, sender: (Mac(MAC), IP), target };
    nat.send(&request.frame(Mac::BROADCAST));
    assert!(ready(&nat));
    nat.tick();
    // A guest that gives no buffers is not offered the same again and again.
    assert!(!ready(&nat));
    assert!(nat.receive(&mut vec![0; FRAME_MAX]).is_some());
    assert_eq!(nat.receive(&mut vec![0; FRAME_MAX]), None);
    assert!(!ready(&nat));
}

#[test]
fn our_stations_have_stable_addresses() {
    let nat = nat();
    let station = nat.core.station(GATEWAY);
    assert_eq!(station, Mac([0x52, 0x55, 10, 0, 2, 2]));
    assert!(EthernetAddress(station.0).is_unicast());
}
