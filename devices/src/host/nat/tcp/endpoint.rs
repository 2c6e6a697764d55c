//! The TCP state machine towards the guest: no sockets, no clock of its own. [RFC-9293 §3]
//!
//! The link to the guest is memory: it neither reorders nor congests, and loses only what the
//! guest itself drops. So there is no congestion window, a segment out of order is dropped (the
//! guest sends it again), and the retransmission timer is long; the guest's window alone paces.

use std::time::{Duration, Instant};

use super::ring::Ring;
use crate::host::nat::wire::{Flags, TcpHeader};

/// Retransmission time-out at first; doubled with each attempt.
const RTO: Duration = Duration::from_secs(1);
const RTO_MAX: Duration = Duration::from_secs(60);
/// A connection silent for so long is probed, to find guests that were reset.
const KEEPALIVE: Duration = Duration::from_secs(600);
/// Attempts in a row that the guest may leave without an answer.
const ATTEMPTS_MAX: u32 = 10;
/// The same for our SYN, sent every second: a guest that is still booting.
const SYN_ATTEMPTS_MAX: u32 = 60;
/// Answers in store for segments out of order.
const REPEATS_MAX: u8 = 4;
/// Shift of the windows that we announce: 256 KiB and more fit. [RFC-7323 §2.3]
const SCALE: u8 = 3;
/// Assumed if a SYN does not say. [RFC-9293 §3.7.1]
const MSS_DEFAULT: u16 = 536;
/// Smaller announcements are not believed: they would only make work.
const MSS_MIN: u16 = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The guest's SYN is held until the host's side is connected.
    Held,
    /// Our SYN, for a forwarded port.
    SynSent,
    /// Our SYN and ACK.
    SynReceived,
    /// Synchronized; the two directions end on their own.
    Open,
}

/// What a segment asks of the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Verdict {
    /// Nothing beyond the state kept here.
    Taken,
    /// The guest cut the connection.
    Reset,
    /// The guest is to be told that no such connection exists, with a RST of this number.
    Refuse(u32),
}

/// What the timer decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Timeout {
    /// Something is to be sent.
    Send,
    /// The guest is gone.
    Dead,
}

/// A segment about to be sent: a header without ports, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    seq: u32,
    /// Bytes of data.
    len: usize,
    flags: Flags,
}

/// One end of a connection with the guest.
#[derive(Debug)]
pub(in super::super) struct Endpoint {
    state: State,
    /// Data from the host: what the guest has not acknowledged, then what was not sent.
    pub(in super::super) out: Ring,
    /// Data from the guest that the host has not taken.
    pub(in super::super) input: Ring,

    // Sending: SND.UNA, SND.NXT, the highest SND.NXT so far, SND.WND, SND.WL1 and SND.WL2.
    una: u32,
    nxt: u32,
    max: u32,
    window: u32,
    wl1: u32,
    wl2: u32,
    mss: usize,
    own_mss: u16,
    /// The guest's shift, if it scales windows.
    scale: Option<u8>,
    fin: bool,
    fin_acked: bool,
    duplicates: u8,
    /// Fast recovery lasts until this is acknowledged.
    recover: Option<u32>,
    resend: bool,
    probe: bool,

    // Receiving: RCV.NXT, and the right edge of the window announced last.
    rcv_nxt: u32,
    edge: u32,
    fin_received: bool,
    ack: bool,
    /// Segments out of order that each want an answer of their own: three start the guest's
    /// fast retransmission.
    repeats: u8,

    timer: Option<Instant>,
    attempts: u32,
}

/// `a` before `b` in the circle of sequence numbers.
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

impl Endpoint {
    fn new(state: State, iss: u32, own_mss: u16, limit: usize) -> Self {
        Endpoint {
            state,
            out: Ring::new(limit),
            input: Ring::new(limit),
            una: iss,
            nxt: iss,
            max: iss,
            window: 0,
            wl1: 0,
            wl2: 0,
            mss: usize::from(own_mss),
            own_mss,
            scale: None,
            fin: false,
            fin_acked: false,
            duplicates: 0,
            recover: None,
            resend: false,
            probe: false,
            rcv_nxt: 0,
            edge: 0,
            fin_received: false,
            ack: false,
            repeats: 0,
            timer: None,
            attempts: 0,
        }
    }

    /// The end that the guest's `syn` wants; it says nothing until [`Endpoint::open`].
    pub(in super::super) fn held(syn: &TcpHeader, iss: u32, own_mss: u16, limit: usize) -> Self {
        let mut endpoint = Endpoint::new(State::Held, iss, own_mss, limit);
        endpoint.synchronize(syn);
        endpoint
    }

    /// An end that connects to the guest.
    pub(in super::super) fn connecting(iss: u32, own_mss: u16, limit: usize) -> Self {
        Endpoint::new(State::SynSent, iss, own_mss, limit)
    }

    /// Takes from a SYN what it says about its sender.
    fn synchronize(&mut self, syn: &TcpHeader) {
        self.rcv_nxt = syn.seq.wrapping_add(1);
        self.edge = self.rcv_nxt;
        self.mss = usize::from(syn.mss.unwrap_or(MSS_DEFAULT).max(MSS_MIN).min(self.own_mss));
        // Larger shifts are to be taken for 14. [RFC-7323 §2.3]
        self.scale = syn.scale.map(|shift| shift.min(14));
        self.window = u32::from(syn.window);
        self.wl1 = syn.seq;
    }

    /// The host's side is connected: answer the SYN.
    pub(in super::super) fn open(&mut self) {
        if self.state == State::Held {
            self.state = State::SynReceived;
        }
    }

    /// The host has no more data.
    pub(in super::super) fn close(&mut self) {
        self.fin = true;
    }

    /// Whether data of the host can be sent, now or later.
    pub(in super::super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the guest said that it has no more data.
    pub(in super::super) fn peer_closed(&self) -> bool {
        self.fin_received
    }

    /// Whether both directions have ended and nothing is left to say.
    pub(in super::super) fn finished(&self) -> bool {
        self.fin_acked && self.fin_received && self.input.is_empty() && !self.ack
    }

    /// When [`Endpoint::timeout`] is due.
    pub(in super::super) fn timer(&self) -> Option<Instant> {
        self.timer
    }

    /// Numbers for a RST that the guest accepts.
    pub(in super::super) fn reset_numbers(&self) -> (u32, u32) {
        (self.nxt, self.rcv_nxt)
    }

    /// Bytes of data that were never sent, or are to be sent again.
    pub(in super::super) fn unsent(&self) -> usize {
        self.out.len().saturating_sub(self.in_flight())
    }

    fn in_flight(&self) -> usize {
        self.nxt.wrapping_sub(self.una) as usize
    }

    /// Takes a segment of the guest.
    pub(in super::super) fn segment(
        &mut self,
        header: &TcpHeader,
        data: &[u8],
        now: Instant,
    ) -> Verdict {
        match self.state {
            State::Held => match header.flags.has(Flags::RST) && header.seq == self.rcv_nxt {
                true => Verdict::Reset,
                false => Verdict::Taken,
            },
            State::SynSent => self.segment_in_syn_sent(header, now),
            State::SynReceived | State::Open => self.segment_synchronized(header, data, now),
        }
    }

    /// [RFC-9293 §3.10.7.3]
    fn segment_in_syn_sent(&mut self, header: &TcpHeader, now: Instant) -> Verdict {
        let flags = header.flags;
        let acceptable = flags.has(Flags::ACK) && header.ack == self.una.wrapping_add(1);
        match (flags.has(Flags::RST), acceptable) {
            (true, true) => Verdict::Reset,
            (true, false) => Verdict::Taken,
            (false, false) if flags.has(Flags::ACK) => Verdict::Refuse(header.ack),
            (false, true) if flags.has(Flags::SYN) => {
                self.synchronize(header);
                self.establish(header, now);
                self.ack = true;
                Verdict::Taken
            }
            _ => Verdict::Taken,
        }
    }

    fn establish(&mut self, header: &TcpHeader, now: Instant) {
        self.state = State::Open;
        (self.una, self.nxt, self.max) = (header.ack, header.ack, header.ack);
        (self.wl1, self.wl2) = (header.seq, header.ack);
        self.attempts = 0;
        self.timer = Some(now + KEEPALIVE);
    }

    /// [RFC-9293 §3.10.7.4]
    fn segment_synchronized(&mut self, header: &TcpHeader, data: &[u8], now: Instant) -> Verdict {
        let flags = header.flags;
        let ahead = header.seq.wrapping_sub(self.rcv_nxt);
        if flags.has(Flags::RST) {
            // Exactly the next number resets, one merely in the window is challenged.
            // [RFC-5961 §3.2]
            if ahead == 0 {
                return Verdict::Reset;
            }
            self.ack |= (ahead as usize) < self.input.limit();
            return Verdict::Taken;
        }
        if flags.has(Flags::SYN) {
            if self.state == State::SynReceived && ahead == u32::MAX {
                // Our answer was lost.
                self.nxt = self.una;
            } else {
                self.ack = true;
            }
            return Verdict::Taken;
        }
        if !flags.has(Flags::ACK) {
            return Verdict::Taken;
        }
        if self.state == State::SynReceived {
            if header.ack != self.una.wrapping_add(1) {
                return Verdict::Refuse(header.ack);
            }
            self.establish(header, now);
            self.window = self.scaled(header.window);
        }
        if before(self.max, header.ack) {
            // It acknowledges what was never sent.
            self.ack = true;
            return Verdict::Taken;
        }
        self.attempts = 0;
        self.acknowledged(header, data.is_empty() && !flags.has(Flags::FIN), now);
        self.received(header, data);
        if self.una == self.max && self.out.is_empty() {
            self.timer = Some(now + KEEPALIVE);
        }
        Verdict::Taken
    }

    fn scaled(&self, window: u16) -> u32 {
        u32::from(window) << self.scale.unwrap_or(0)
    }

    fn acknowledged(&mut self, header: &TcpHeader, bare: bool, now: Instant) {
        let ack = header.ack;
        let window = self.scaled(header.window);
        if before(self.una, ack) {
            let count = ack.wrapping_sub(self.una) as usize;
            let data = count.min(self.out.len());
            self.out.consume(data);
            self.fin_acked |= count > data;
            self.una = ack;
            if before(self.nxt, ack) {
                self.nxt = ack;
            }
            self.duplicates = 0;
            self.recover = self.recover.filter(|recover| before(ack, *recover));
            // A partial acknowledgement in recovery shows the next hole. [RFC-6582 §3.2]
            self.resend = self.recover.is_some();
            self.timer = Some(now + if self.una == self.max { KEEPALIVE } else { RTO });
        } else if ack == self.una && bare && window == self.window && self.una != self.max {
            self.duplicates = self.duplicates.saturating_add(1);
            if self.duplicates == 3 && self.recover.is_none() {
                self.recover = Some(self.max);
                self.resend = true;
            }
        }
        let newer =
            before(self.wl1, header.seq) || (self.wl1 == header.seq && !before(ack, self.wl2));
        if newer {
            (self.window, self.wl1, self.wl2) = (window, header.seq, ack);
        }
        if self.window == 0 && self.una == self.max && !self.out.is_empty() {
            // Nothing is in flight that could be answered: ask for the window by and by.
            self.timer = Some(now + self.backoff());
        }
    }

    fn received(&mut self, header: &TcpHeader, data: &[u8]) {
        let fin = header.flags.has(Flags::FIN);
        if data.is_empty() && !fin {
            // A probe of an idle connection lies before the window and wants an answer.
            self.ack |= header.seq != self.rcv_nxt;
            return;
        }
        self.ack = true;
        let old = self.rcv_nxt.wrapping_sub(header.seq) as usize;
        if self.fin_received || old > data.len() {
            self.repeats = (self.repeats + 1).min(REPEATS_MAX);
            return;
        }
        self.repeats = 0;
        let taken = self.input.push(&data[old..]);
        self.rcv_nxt = self.rcv_nxt.wrapping_add(taken as u32);
        if fin && old + taken == data.len() {
            self.fin_received = true;
            self.rcv_nxt = self.rcv_nxt.wrapping_add(1);
        }
    }

    fn backoff(&self) -> Duration {
        RTO.saturating_mul(1 << self.attempts.min(6)).min(RTO_MAX)
    }

    /// The timer ran out.
    pub(in super::super) fn timeout(&mut self) -> Timeout {
        // Armed again by what is sent now: time in which the guest takes nothing, as when it is
        // paused, does not count.
        self.timer = None;
        self.attempts += 1;
        let most = if self.state == State::Open { ATTEMPTS_MAX } else { SYN_ATTEMPTS_MAX };
        if self.attempts > most {
            return Timeout::Dead;
        }
        if self.una == self.max {
            self.probe = self.state == State::Open;
            self.out.shrink();
            self.input.shrink();
        } else {
            self.nxt = self.una;
            self.probe = self.window == 0;
            (self.duplicates, self.recover, self.resend) = (0, None, false);
        }
        Timeout::Send
    }

    /// Whether [`Endpoint::send`] would make a segment.
    pub(in super::super) fn wants_to_send(&self) -> bool {
        self.plan().is_some()
    }

    fn plan(&self) -> Option<Plan> {
        match self.state {
            State::Held => None,
            State::SynSent | State::SynReceived => {
                let flags = Flags::SYN.with(Flags::ACK, self.state == State::SynReceived);
                (self.nxt == self.una).then_some(Plan { seq: self.una, len: 0, flags })
            }
            State::Open => self.plan_open(),
        }
    }

    fn plan_open(&self) -> Option<Plan> {
        let sent = self.in_flight();
        let window = self.window as usize;
        if self.resend {
            let len = self.mss.min(self.out.len());
            // The FIN goes along if it had been sent.
            let end = self.una.wrapping_add(len as u32);
            let fin = self.fin && !self.fin_acked && len == self.out.len() && before(end, self.max);
            if len > 0 || fin {
                let flags = Flags::ACK.with(Flags::FIN, fin);
                return Some(Plan { seq: self.una, len, flags });
            }
        }
        let unsent = self.out.len().saturating_sub(sent);
        let whole = unsent.min(self.mss);
        let mut len = whole.min(window.saturating_sub(sent));
        if len < whole && sent > 0 {
            // Rather wait for room than fill it with crumbs. [RFC-9293 §3.8.6.2.1]
            len = 0;
        }
        if len == 0 && whole > 0 && sent == 0 && self.probe {
            len = 1;
        }
        let fin = self.fin && !self.fin_acked && sent + len == self.out.len();
        if len > 0 || fin {
            let flags = Flags::ACK.with(Flags::PSH, len > 0 && len == unsent).with(Flags::FIN, fin);
            return Some(Plan { seq: self.nxt, len, flags });
        }
        if self.probe {
            // An old number makes the guest answer. [RFC-9293 §3.8.4]
            let seq = self.una.wrapping_sub(1);
            return Some(Plan { seq, len: 0, flags: Flags::ACK });
        }
        let due = self.ack || self.window_grew();
        due.then_some(Plan { seq: self.nxt, len: 0, flags: Flags::ACK })
    }

    /// Whether the host took so much that the guest should know of its new window.
    fn window_grew(&self) -> bool {
        let open = self.edge.wrapping_sub(self.rcv_nxt) as i32;
        let open = usize::try_from(open).unwrap_or(0);
        let more = self.window_to_offer(self.shift()).saturating_sub(open);
        !self.fin_received
            && (more >= self.input.limit() / 4 || (open < self.mss && more >= self.mss))
    }

    /// Makes the next segment: its data goes to the start of `payload`, which holds an MSS; the
    /// header has no ports yet.
    pub(in super::super) fn send(
        &mut self,
        payload: &mut [u8],
        now: Instant,
    ) -> Option<(TcpHeader, usize)> {
        let Plan { seq, len, flags } = self.plan()?;
        let mut header = TcpHeader { seq, flags, ..TcpHeader::default() };
        if flags.has(Flags::SYN) {
            header.mss = Some(self.own_mss);
            // Offered first, or in answer to an offer only. [RFC-7323 §2.2]
            header.scale = (self.state == State::SynSent || self.scale.is_some()).then_some(SCALE);
        }
        if flags.has(Flags::ACK) {
            header.ack = self.rcv_nxt;
        }
        header.window = self.announce(flags.has(Flags::SYN));
        let to = payload.get_mut(..len)?;
        if len > 0 {
            self.out.copy_to(seq.wrapping_sub(self.una) as usize, to);
        }
        let occupied = len as u32 + u32::from(flags.has(Flags::FIN) || flags.has(Flags::SYN));
        self.sent(seq.wrapping_add(occupied), occupied > 0, now);
        Some((header, len))
    }

    /// Windows are scaled only if both ends offered it; that of a SYN never is.
    fn shift(&self) -> u8 {
        self.scale.map_or(0, |_| SCALE)
    }

    /// The window that fits both the buffer and the field.
    fn window_to_offer(&self, shift: u8) -> usize {
        (self.input.space() >> shift).min(usize::from(u16::MAX)) << shift
    }

    /// The window field, which moves the announced edge.
    fn announce(&mut self, syn: bool) -> u16 {
        let shift = if syn { 0 } else { self.shift() };
        let window = self.window_to_offer(shift);
        self.edge = self.rcv_nxt.wrapping_add(window as u32);
        (window >> shift) as u16
    }

    /// Notes that a segment up to `end` left.
    fn sent(&mut self, end: u32, occupies: bool, now: Instant) {
        self.repeats = self.repeats.saturating_sub(1);
        self.ack = self.repeats > 0;
        if occupies {
            if !self.resend {
                self.nxt = end;
            }
            if before(self.max, end) {
                if self.una == self.max {
                    // The first in flight starts the clock.
                    self.timer = None;
                }
                self.max = end;
            }
            self.resend = false;
        }
        let syn = self.state != State::Open;
        if self.timer.is_none() {
            let in_flight = self.una != self.max;
            let idle = !in_flight && self.out.is_empty() && !self.probe;
            self.timer = Some(match (syn, idle) {
                (true, _) => now + RTO,
                (false, true) => now + KEEPALIVE,
                (false, false) if in_flight => now + self.backoff(),
                (false, false) => now + RTO_MAX,
            });
        }
        self.probe = false;
    }
}
