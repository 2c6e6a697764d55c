//! A guest: smoltcp's interface on the network.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{AnySocket, tcp, udp};
use smoltcp::time::Instant as SmolInstant;
use smoltcp::wire::{EthernetAddress, IpCidr, IpEndpoint};

use super::super::{Nat, NetBackend};
use crate::virtio::net::backend::FRAME_MAX;

pub(super) const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
pub(super) const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The cable between the guest's stack and the network.
pub(super) struct Cable {
    pub(super) nat: Nat,
    buffer: Vec<u8>,
    /// Frames that went by since somebody looked, if anybody does.
    pub(super) seen: Option<VecDeque<Vec<u8>>>,
    /// Every so many frames, one is lost on the way to the guest; 0 is never.
    pub(super) loss: usize,
    frames: usize,
}

impl Cable {
    fn lost(&mut self) -> bool {
        self.frames += 1;
        self.loss != 0 && self.frames.is_multiple_of(self.loss)
    }
}

pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

pub(super) struct Sender<'a>(&'a mut Cable);

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.nat.send(&frame);
        result
    }
}

impl Device for Cable {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: SmolInstant) -> Option<(Received, Sender<'_>)> {
        loop {
            let len = self.nat.receive(&mut self.buffer)?;
            let frame = self.buffer[..len].to_vec();
            if self.lost() {
                continue;
            }
            if let Some(seen) = &mut self.seen {
                seen.push_back(frame.clone());
            }
            return Some((Received(frame), Sender(self)));
        }
    }

    fn transmit(&mut self, _: SmolInstant) -> Option<Sender<'_>> {
        Some(Sender(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = usize::from(self.nat.mtu().unwrap()) + 14;
        capabilities
    }
}

pub(super) struct Guest {
    pub(super) cable: Cable,
    pub(super) interface: Interface,
    pub(super) sockets: SocketSet<'static>,
    ports: u16,
}

impl Guest {
    /// A guest without an address.
    pub(super) fn without_address(nat: Nat) -> Self {
        let mut cable = Cable { nat, buffer: vec![0; FRAME_MAX], seen: None, loss: 0, frames: 0 };
        let mut config = Config::new(EthernetAddress(MAC).into());
        config.random_seed = 7;
        let interface = Interface::new(config, &mut cable, SmolInstant::now());
        Guest { cable, interface, sockets: SocketSet::new(Vec::new()), ports: 40_000 }
    }

    /// A guest at 10.0.2.15.
    pub(super) fn new(nat: Nat) -> Self {
        let mut guest = Guest::without_address(nat);
        guest.interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IP.into(), 24)).unwrap();
        });
        guest.interface.routes_mut().add_default_ipv4_route(GATEWAY).unwrap();
        guest
    }

    pub(super) fn step(&mut self) {
        self.interface.poll(SmolInstant::now(), &mut self.cable, &mut self.sockets);
        self.cable.nat.tick();
    }

    /// Lets the world go on until `done` gives something.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Guest) -> Option<T>,
    ) -> T {
        let start = Instant::now();
        loop {
            self.step();
            if let Some(value) = done(self) {
                return value;
            }
            assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
            if !self.cable.nat.core.has_output() {
                self.cable.nat.poll_sockets(Duration::from_millis(1));
            }
        }
    }

    /// Lets the world go on until a thread has done its work.
    pub(super) fn join<T>(&mut self, thread: JoinHandle<T>) -> T {
        self.until("a thread", |_| thread.is_finished().then_some(()));
        thread.join().unwrap()
    }

    /// Lets the time of the network jump.
    pub(super) fn skip(&mut self, time: Duration) {
        self.cable.nat.skipped += time;
        self.step();
    }

    pub(super) fn add<T: AnySocket<'static>>(&mut self, socket: T) -> SocketHandle {
        self.sockets.add(socket)
    }

    pub(super) fn tcp_socket(&mut self) -> SocketHandle {
        let buffer = || tcp::SocketBuffer::new(vec![0; 128 * 1024]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_ack_delay(None);
        self.add(socket)
    }

    /// A socket that connects to `port` of `ip`.
    pub(super) fn connect(&mut self, ip: Ipv4Addr, port: u16) -> SocketHandle {
        let handle = self.tcp_socket();
        self.ports += 1;
        let socket = self.sockets.get_mut::<tcp::Socket>(handle);
        socket.connect(self.interface.context(), (ip, port), self.ports).unwrap();
        handle
    }

    pub(super) fn listen(&mut self, port: u16) -> SocketHandle {
        let handle = self.tcp_socket();
        self.tcp(handle).listen(port).unwrap();
        handle
    }

    pub(super) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub(super) fn udp_socket(&mut self, port: u16) -> SocketHandle {
        let buffer = || {
            let slots = vec![udp::PacketMetadata::EMPTY; 64];
            udp::PacketBuffer::new(slots, vec![0; 128 * 1024])
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).unwrap();
        self.add(socket)
    }

    pub(super) fn udp(&mut self, handle: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    /// The next datagram and who sent it.
    pub(super) fn datagram(&mut self, handle: SocketHandle) -> (Vec<u8>, IpEndpoint) {
        self.until("a datagram", |guest| {
            let (data, meta) = guest.udp(handle).recv().ok()?;
            Some((data.to_vec(), meta.endpoint))
        })
    }

    pub(super) fn established(&mut self, handle: SocketHandle) {
        self.until("the connection", |guest| {
            (guest.tcp(handle).state() == tcp::State::Established).then_some(())
        });
    }

    /// Sends all of `data`.
    pub(super) fn send_all(&mut self, handle: SocketHandle, data: &[u8]) {
        let mut left = data;
        self.until("room to send", |guest| {
            if guest.tcp(handle).can_send() {
                let count = guest.tcp(handle).send_slice(left).unwrap();
                left = &left[count..];
            }
            left.is_empty().then_some(())
        });
    }

    /// Receives until the peer closes.
    pub(super) fn receive_all(&mut self, handle: SocketHandle) -> Vec<u8> {
        let mut data = Vec::new();
        self.until("the end of the data", |guest| {
            let socket = guest.tcp(handle);
            while socket.can_recv() {
                socket
                    .recv(|bytes| {
                        data.extend_from_slice(bytes);
                        (bytes.len(), ())
                    })
                    .unwrap();
            }
            let begun = !matches!(
                socket.state(),
                tcp::State::Listen | tcp::State::SynSent | tcp::State::SynReceived
            );
            (begun && !socket.may_recv()).then_some(())
        });
        data
    }
}
