//! A connection: the guest's end and the host's socket, and the bytes between them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4};
use std::time::Instant;

use mio::net::TcpStream;

use super::endpoint::Endpoint;

/// Bytes asked for when the host's socket is read.
const READ: usize = 64 * 1024;

/// Both ends as the guest sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Flow {
    pub(in super::super) guest: SocketAddrV4,
    pub(in super::super) remote: SocketAddrV4,
}

/// The host's side broke; the guest is to be told with a RST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// How far the host's side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Connecting,
    Connected,
}

/// A TCP connection through the network.
pub(super) struct Connection {
    pub(super) flow: Flow,
    pub(super) endpoint: Endpoint,
    pub(super) stream: TcpStream,
    pub(super) progress: Progress,
    /// Until when both sides must be connected.
    pub(super) connect_by: Option<Instant>,
    /// In the list of those whose data the host is to be given.
    pub(super) dirty: bool,
    // The poller reports changes only; these remember.
    readable: bool,
    writable: bool,
    ended: bool,
    shut: bool,
}

impl Connection {
    pub(super) fn new(
        flow: Flow,
        endpoint: Endpoint,
        stream: TcpStream,
        progress: Progress,
        connect_by: Instant,
    ) -> Self {
        Connection {
            flow,
            endpoint,
            stream,
            progress,
            connect_by: Some(connect_by),
            dirty: false,
            readable: false,
            writable: false,
            ended: false,
            shut: false,
        }
    }

    /// Notes what the poller reports.
    pub(super) fn note(&mut self, readable: bool, writable: bool) {
        self.readable |= readable;
        self.writable |= writable;
    }

    /// When something is to be done though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match (self.connect_by, self.endpoint.timer()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether there is something for the guest.
    pub(super) fn has_output(&self) -> bool {
        self.endpoint.wants_to_send() || self.may_read()
    }

    fn may_read(&self) -> bool {
        self.readable && !self.ended && self.endpoint.is_open() && self.endpoint.out.space() > 0
    }

    /// Gives the host what the guest sent.
    pub(super) fn push(&mut self) -> Result<(), Broken> {
        if self.progress == Progress::Connecting {
            return Ok(());
        }
        while self.writable && !self.endpoint.input.is_empty() {
            match self.stream.write_vectored(&self.endpoint.input.contents()) {
                Ok(0) => return Err(Broken),
                Ok(count) => self.endpoint.input.consume(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        if self.endpoint.peer_closed() && self.endpoint.input.is_empty() && !self.shut {
            self.shut = true;
            // It fails if the peer is gone already, which reading will tell.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    /// Takes more of the host's data if less than `enough` is at hand.
    pub(super) fn pull(&mut self, enough: usize) -> Result<(), Broken> {
        while self.may_read() && self.endpoint.unsent() < enough {
            match self.stream.read_vectored(&mut self.endpoint.out.vacancy_of(READ)) {
                Ok(0) => {
                    self.ended = true;
                    self.endpoint.close();
                }
                Ok(count) => self.endpoint.out.filled(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Whether both directions have ended everywhere.
    pub(super) fn finished(&self) -> bool {
        self.shut && self.endpoint.finished()
    }
}
