//! TCP out and in.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use smoltcp::socket::tcp;

use super::super::{HostFwd, NetBackend};
use super::guest::{GATEWAY, Guest, IP};
use super::{Nat, NatConfig, closed_port, config, echo, nat, pattern, server};

fn forwarded(text: &str) -> (Nat, std::net::SocketAddr) {
    let forward: HostFwd = text.parse().unwrap();
    let nat = Nat::new(NatConfig { hostfwd: vec![forward], ..config() }).unwrap();
    let bound = nat.forwards()[0].1;
    (nat, bound)
}

/// Sends `total` bytes to an echo server and checks that they come back.
fn echo_round(guest: &mut Guest, total: usize) {
    let (port, served) = server(echo);
    let handle = guest.connect(GATEWAY, port);
    let (mut sent, mut got) = (0, 0);
    let mut chunk = vec![0; 64 * 1024];
    guest.until("the echo", |guest| {
        let socket = guest.tcp(handle);
        while socket.can_send() && sent < total {
            let count = chunk.len().min(total - sent);
            pattern(sent, &mut chunk[..count]);
            sent += socket.send_slice(&chunk[..count]).unwrap();
        }
        while socket.can_recv() {
            socket
                .recv(|bytes| {
                    pattern(got, &mut chunk[..bytes.len().min(64 * 1024)]);
                    let count = bytes.len().min(chunk.len());
                    assert!(bytes[..count] == chunk[..count], "bytes differ near {got}");
                    got += count;
                    (count, ())
                })
                .unwrap();
        }
        (got == total).then_some(())
    });
    guest.tcp(handle).close();
    guest.join(served);
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
}

#[test]
fn fifty_megabytes_come_back_unchanged() {
    echo_round(&mut Guest::new(nat()), 50_000_000);
}

#[test]
fn a_large_mtu_carries_the_same() {
    let nat = Nat::new(NatConfig { mtu: 65_520, ..config() }).unwrap();
    echo_round(&mut Guest::new(nat), 20_000_000);
}

#[test]
fn lost_frames_are_sent_again() {
    let mut guest = Guest::new(nat());
    guest.cable.loss = 13;
    echo_round(&mut guest, 2_000_000);
}

#[test]
fn a_refused_connection_is_refused_to_the_guest() {
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, closed_port());
    guest.until("the refusal", |guest| {
        (guest.tcp(handle).state() == tcp::State::Closed).then_some(())
    });
    assert_eq!(guest.cable.nat.tcp.entries(), 0);
}

#[test]
fn the_host_can_be_closed_to_the_guest() {
    let nat = Nat::new(NatConfig { host_loopback: false, ..config() }).unwrap();
    let (port, served) = server(drop);
    let mut guest = Guest::new(nat);
    let handle = guest.connect(GATEWAY, port);
    guest.until("the refusal", |guest| {
        (guest.tcp(handle).state() == tcp::State::Closed).then_some(())
    });
    TcpStream::connect(("127.0.0.1", port)).unwrap();
    guest.join(served);
}

#[test]
fn the_guest_may_finish_first_and_still_receive() {
    let (port, served) = server(|mut stream| {
        let mut request = Vec::new();
        // Ends only because the guest's half is closed.
        stream.read_to_end(&mut request).unwrap();
        stream.write_all(&request).unwrap();
        request.len()
    });
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    guest.established(handle);
    let mut request = vec![0; 300_000];
    pattern(0, &mut request);
    guest.send_all(handle, &request);
    guest.tcp(handle).close();
    assert!(guest.receive_all(handle) == request);
    assert_eq!(guest.join(served), request.len());
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
}

#[test]
fn the_host_may_finish_first_and_still_receive() {
    let (port, served) = server(|mut stream| {
        stream.write_all(b"go on").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    assert_eq!(guest.receive_all(handle), b"go on");
    assert_eq!(guest.tcp(handle).state(), tcp::State::CloseWait);
    let mut request = vec![0; 300_000];
    pattern(0, &mut request);
    guest.send_all(handle, &request);
    guest.tcp(handle).close();
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
    assert!(guest.join(served) == request);
}

#[test]
fn an_abort_of_the_guest_aborts_the_hosts_connection() {
    let (port, served) = server(|mut stream| stream.read(&mut [0; 1]));
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    guest.established(handle);
    guest.tcp(handle).abort();
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
    let error = guest.join(served).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn an_abort_of_the_host_aborts_the_guests_connection() {
    let (port, served) = server(|mut stream| {
        // What is not read when the socket closes turns the close into a RST.
        stream.peek(&mut [0; 1]).unwrap();
        stream.write_all(b"x").unwrap();
    });
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    guest.established(handle);
    guest.send_all(handle, b"unread");
    guest.until("the reset", |guest| {
        (guest.tcp(handle).state() == tcp::State::Closed).then_some(())
    });
    guest.join(served);
    assert_eq!(guest.cable.nat.tcp.entries(), 0);
}

#[test]
fn a_forwarded_port_leads_to_the_guest() {
    let (nat, bound) = forwarded("tcp:127.0.0.1:0-:22");
    let mut guest = Guest::new(nat);
    let handle = guest.listen(22);
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(bound).unwrap();
        stream.write_all(b"ping").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    assert_eq!(guest.receive_all(handle), b"ping");
    assert_eq!(guest.tcp(handle).remote_endpoint().unwrap().addr, GATEWAY.into());
    guest.send_all(handle, b"pong");
    guest.tcp(handle).close();
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
    assert_eq!(guest.join(client), b"pong");
}

#[test]
fn a_forwarded_port_on_which_the_guest_does_not_listen_is_reset() {
    let (nat, bound) = forwarded("tcp:127.0.0.1:0-:22");
    let mut guest = Guest::new(nat);
    let client = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(bound).unwrap();
        stream.read(&mut [0; 1]).unwrap_err().kind()
    });
    guest.until("the reset", |_| client.is_finished().then_some(()));
    assert_eq!(guest.join(client), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_forwarded_connection_waits_for_a_guest_that_is_not_up_yet() {
    let (nat, bound) = forwarded("tcp:127.0.0.1:0-:22");
    // It has no address: nobody answers who has 10.0.2.15.
    let mut guest = Guest::without_address(nat);
    let mut stream = TcpStream::connect(bound).unwrap();
    guest.until("the connection", |guest| (guest.cable.nat.tcp.entries() == 1).then_some(()));
    guest.skip(Duration::from_secs(2));
    guest.interface.update_ip_addrs(|addresses| {
        addresses.push(smoltcp::wire::IpCidr::new(IP.into(), 24)).unwrap();
    });
    let handle = guest.listen(22);
    guest.skip(Duration::from_secs(2));
    guest.established(handle);
    guest.send_all(handle, b"up");
    let mut answer = [0; 2];
    guest.until("the answer", |guest| guest.cable.nat.core.deadline().map(drop));
    guest.step();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"up");
}

#[test]
fn a_forwarded_connection_to_nobody_ends() {
    let (nat, bound) = forwarded("tcp:127.0.0.1:0-:22");
    let mut guest = Guest::without_address(nat);
    let mut stream = TcpStream::connect(bound).unwrap();
    guest.until("the connection", |guest| (guest.cable.nat.tcp.entries() == 1).then_some(()));
    for _ in 0..100 {
        guest.skip(Duration::from_secs(1));
    }
    assert_eq!(guest.cable.nat.tcp.entries(), 0);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_guest_that_vanished_is_found_out() {
    let (port, served) = server(|mut stream| stream.read(&mut [0; 1]).unwrap_err().kind());
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    guest.established(handle);
    // As after a restart: the stack knows nothing of the connection and answers the probe.
    guest.sockets.remove(handle);
    guest.cable.nat.reset();
    guest.until("the reset", |guest| {
        guest.cable.nat.skipped += Duration::from_secs(60);
        (guest.cable.nat.tcp.entries() == 0).then_some(())
    });
    assert_eq!(guest.join(served), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_guest_without_room_stops_the_host_and_goes_on_later() {
    const TOTAL: usize = 8_000_000;
    let (port, served) = server(|mut stream| {
        let mut chunk = vec![0; 100_000];
        for sent in (0..TOTAL).step_by(chunk.len()) {
            pattern(sent, &mut chunk);
            stream.write_all(&chunk).unwrap();
        }
    });
    let mut guest = Guest::new(nat());
    let handle = guest.connect(GATEWAY, port);
    guest.until("a full window", |guest| (guest.tcp(handle).recv_queue() >= 120_000).then_some(()));
    for _ in 0..20 {
        // The window is shut; probes are sent and nothing is lost by them.
        guest.skip(Duration::from_secs(61));
        guest.step();
    }
    let data = guest.receive_all(handle);
    let mut expected = vec![0; TOTAL];
    pattern(0, &mut expected);
    assert!(data == expected);
    guest.join(served);
}

#[test]
fn many_connections_at_a_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let streams: Vec<_> = (0..100).map(|_| listener.accept().unwrap().0).collect();
        for mut stream in streams {
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            stream.write_all(&request).unwrap();
        }
    });
    let mut guest = Guest::new(nat());
    let handles: Vec<_> = (0..100).map(|_| guest.connect(GATEWAY, port)).collect();
    for (n, handle) in handles.iter().enumerate() {
        guest.established(*handle);
        guest.send_all(*handle, &[n as u8; 1000]);
        guest.tcp(*handle).close();
    }
    for (n, handle) in handles.into_iter().enumerate() {
        assert_eq!(guest.receive_all(handle), [n as u8; 1000]);
    }
    guest.join(server);
    guest.until("the end", |guest| (guest.cable.nat.tcp.entries() == 0).then_some(()));
}

/// The next ICMP error on the cable: its code, and the ports of the segment that it quotes.
fn icmp_error(guest: &mut Guest) -> (u8, u16, u16) {
    guest.until("the error", |guest| {
        let frame = guest.cable.seen.as_mut().unwrap().pop_front()?;
        let is_error = frame.get(23) == Some(&1) && frame[34] == 3;
        let port = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        is_error.then(|| (frame[35], port(62), port(64)))
    })
}

#[test]
fn a_host_that_cannot_be_reached_is_told_by_icmp() {
    let mut guest = Guest::new(nat());
    guest.cable.seen = Some(Default::default());
    guest.connect(std::net::Ipv4Addr::new(240, 0, 0, 1), 80);
    assert_eq!(icmp_error(&mut guest), (1, 40_001, 80));
    assert_eq!(guest.cable.nat.tcp.entries(), 0);
}

#[test]
fn a_host_that_does_not_answer_is_given_up() {
    // A listener whose queue is full lets further connections hang.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let waiting: Vec<_> = (0..8).map(|_| mio::net::TcpStream::connect(address).unwrap()).collect();
    let mut guest = Guest::new(nat());
    guest.cable.seen = Some(Default::default());
    guest.connect(GATEWAY, address.port());
    guest.until("the attempt", |guest| (guest.cable.nat.tcp.entries() == 1).then_some(()));
    guest.skip(Duration::from_secs(74));
    assert_eq!(guest.cable.nat.tcp.entries(), 1);
    guest.skip(Duration::from_secs(2));
    assert_eq!(guest.cable.nat.tcp.entries(), 0);
    assert_eq!(icmp_error(&mut guest), (1, 40_001, address.port()));
    drop(waiting);
}
