//! The state machine against hand-made segments: what a well-behaved guest never shows.

use std::time::{Duration, Instant};

use super::endpoint::{Endpoint, Timeout, Verdict};
use crate::host::nat::wire::{Flags, TcpHeader};

const ISS: u32 = 0xffff_fff0;
const IRS: u32 = 0x7fff_fff0;
const LIMIT: usize = 16 * 1024;
const ACK: Flags = Flags::ACK;

/// An endpoint and the guest's numbers.
struct Bench {
    endpoint: Endpoint,
    now: Instant,
    seq: u32,
    ack: u32,
    window: u16,
    buffer: Vec<u8>,
}

impl Bench {
    /// A connection that the guest opened; no window scaling, an MSS of 1000.
    fn open() -> Bench {
        let flags = Flags::SYN;
        let syn =
            TcpHeader { seq: IRS, flags, window: 8000, mss: Some(1000), ..Default::default() };
        let mut bench = Bench {
            endpoint: Endpoint::held(&syn, ISS, 1460, LIMIT),
            now: Instant::now(),
            seq: IRS.wrapping_add(1),
            ack: ISS.wrapping_add(1),
            window: 8000,
            buffer: vec![0; 2000],
        };
        assert_eq!(bench.sent(), None, "the SYN is held");
        bench.endpoint.open();
        let (answer, _) = bench.sent().unwrap();
        assert!(answer.flags.has(Flags::SYN) && answer.flags.has(ACK));
        assert_eq!((answer.seq, answer.ack), (ISS, IRS.wrapping_add(1)));
        assert_eq!((answer.mss, answer.scale), (Some(1460), None));
        assert_eq!(bench.guest(ACK, b""), Verdict::Taken);
        assert!(bench.endpoint.is_open());
        bench
    }

    fn guest(&mut self, flags: Flags, data: &[u8]) -> Verdict {
        let (seq, ack, window) = (self.seq, self.ack, self.window);
        let header = TcpHeader { seq, ack, flags, window, ..Default::default() };
        self.endpoint.segment(&header, data, self.now)
    }

    fn sent(&mut self) -> Option<(TcpHeader, Vec<u8>)> {
        let wants = self.endpoint.wants_to_send();
        let made = self.endpoint.send(&mut self.buffer, self.now);
        assert_eq!(wants, made.is_some());
        made.map(|(header, len)| (header, self.buffer[..len].to_vec()))
    }

    /// Lets the timer run out and returns how long that took.
    fn time_out(&mut self) -> Duration {
        let at = self.endpoint.timer().expect("a timer");
        let waited = at.saturating_duration_since(self.now);
        self.now = at;
        assert_eq!(self.endpoint.timeout(), Timeout::Send);
        waited
    }
}

#[test]
fn data_goes_in_segments_of_the_guests_size_up_to_its_window() {
    let mut bench = Bench::open();
    bench.endpoint.out.push(&[7; 10_000]);
    for n in 0..8 {
        let (header, data) = bench.sent().unwrap();
        assert_eq!(header.seq, ISS.wrapping_add(1 + n * 1000));
        assert_eq!(data.len(), 1000);
    }
    assert_eq!(bench.sent(), None);
    bench.ack = ISS.wrapping_add(1 + 8000);
    bench.guest(ACK, b"");
    assert_eq!(bench.sent().unwrap().1.len(), 1000);
    let (last, _) = bench.sent().unwrap();
    assert!(last.flags.has(Flags::PSH));
    assert_eq!(bench.sent(), None);
}

#[test]
fn a_segment_out_of_order_is_answered_and_dropped() {
    let mut bench = Bench::open();
    bench.seq = bench.seq.wrapping_add(5);
    bench.guest(ACK, b"later");
    bench.guest(ACK, b"later");
    bench.guest(ACK, b"later");
    // Once each, which is what the guest counts.
    for _ in 0..3 {
        assert_eq!(bench.sent().unwrap().0.ack, IRS.wrapping_add(1));
    }
    assert_eq!(bench.sent(), None);
    assert!(bench.endpoint.input.is_empty());
    bench.seq = IRS.wrapping_add(1);
    bench.guest(ACK, b"first");
    // The same again, with more behind it.
    bench.guest(ACK, b"first and second");
    assert_eq!(bench.sent().unwrap().0.ack, IRS.wrapping_add(1 + 16));
    assert_eq!(&*bench.endpoint.input.contents()[0], b"first and second");
}

#[test]
fn three_duplicates_bring_the_missing_segment_at_once() {
    let mut bench = Bench::open();
    bench.endpoint.out.push(&[7; 4000]);
    while bench.sent().is_some() {}
    for _ in 0..3 {
        assert_eq!(bench.sent(), None);
        bench.guest(ACK, b"");
    }
    assert_eq!(bench.sent().unwrap().0.seq, ISS.wrapping_add(1));
    assert_eq!(bench.sent(), None);
    // A partial acknowledgement names the next hole.
    bench.ack = ISS.wrapping_add(1 + 2000);
    bench.guest(ACK, b"");
    assert_eq!(bench.sent().unwrap().0.seq, ISS.wrapping_add(1 + 2000));
    bench.ack = ISS.wrapping_add(1 + 4000);
    bench.guest(ACK, b"");
    assert_eq!(bench.sent(), None);
    assert_eq!(bench.endpoint.out.len(), 0);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_ever_more_slowly_and_not_forever() {
    let mut bench = Bench::open();
    bench.endpoint.out.push(b"hello");
    bench.sent().unwrap();
    let mut waited = Vec::new();
    for _ in 0..10 {
        waited.push(bench.time_out().as_secs());
        assert_eq!(bench.sent().unwrap().1, b"hello");
        assert_eq!(bench.sent(), None);
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    assert_eq!(bench.endpoint.timeout(), Timeout::Dead);
}

#[test]
fn a_paused_guest_loses_nothing() {
    let mut bench = Bench::open();
    bench.endpoint.out.push(b"hello");
    bench.sent().unwrap();
    bench.time_out();
    // Nobody takes the segment, so no time is counted.
    assert_eq!(bench.endpoint.timer(), None);
    bench.now += Duration::from_secs(86_400);
    assert_eq!(bench.sent().unwrap().1, b"hello");
    bench.ack = ISS.wrapping_add(1 + 5);
    bench.guest(ACK, b"");
    assert_eq!(bench.endpoint.unsent(), 0);
}

#[test]
fn a_shut_window_is_probed_with_one_byte() {
    let mut bench = Bench::open();
    bench.window = 0;
    bench.guest(ACK, b"");
    bench.endpoint.out.push(b"hello");
    assert_eq!(bench.sent(), None);
    bench.guest(ACK, b"");
    bench.time_out();
    assert_eq!(bench.sent().unwrap().1, b"h");
    bench.time_out();
    assert_eq!(bench.sent().unwrap().1, b"h");
    // It opens by an answer to the probe, which was not taken.
    bench.window = 8000;
    bench.guest(ACK, b"");
    bench.time_out();
    assert_eq!(bench.sent().unwrap().1, b"hello");
}

#[test]
fn a_full_buffer_shuts_the_window_and_an_empty_one_opens_it() {
    let mut bench = Bench::open();
    let data = vec![1; 1000];
    for _ in 0..16 {
        bench.guest(ACK, &data);
        bench.seq = bench.seq.wrapping_add(1000);
        bench.sent().unwrap();
    }
    // Only a part of this fits, and only that is acknowledged.
    bench.guest(ACK, &data);
    let (header, _) = bench.sent().unwrap();
    assert_eq!(header.ack, bench.seq.wrapping_add(384));
    assert_eq!(header.window, 0);
    bench.endpoint.input.consume(500);
    assert_eq!(bench.sent(), None, "not worth a window");
    bench.endpoint.input.consume(1000);
    assert_eq!(bench.sent().unwrap().0.window, 1500);
    assert_eq!(bench.sent(), None);
}

#[test]
fn only_the_exact_reset_counts() {
    let mut bench = Bench::open();
    bench.seq = bench.seq.wrapping_add(100);
    assert_eq!(bench.guest(Flags::RST, b""), Verdict::Taken);
    assert_eq!(bench.sent().unwrap().0.ack, IRS.wrapping_add(1), "challenged");
    bench.seq = bench.seq.wrapping_sub(101);
    assert_eq!(bench.guest(Flags::RST, b""), Verdict::Taken);
    assert_eq!(bench.sent(), None);
    bench.seq = IRS.wrapping_add(1);
    assert_eq!(bench.guest(Flags::RST, b""), Verdict::Reset);
}

#[test]
fn a_new_syn_on_an_old_connection_is_challenged() {
    let mut bench = Bench::open();
    bench.seq = 42;
    assert_eq!(bench.guest(Flags::SYN, b""), Verdict::Taken);
    let (header, _) = bench.sent().unwrap();
    assert_eq!((header.flags, header.ack), (ACK, IRS.wrapping_add(1)));
}

#[test]
fn both_directions_end_on_their_own() {
    let mut bench = Bench::open();
    bench.endpoint.out.push(b"bye");
    bench.endpoint.close();
    let (header, data) = bench.sent().unwrap();
    assert!(header.flags.has(Flags::FIN) && data == b"bye");
    bench.time_out();
    let (again, data) = bench.sent().unwrap();
    assert!(again.flags.has(Flags::FIN) && data == b"bye" && again.seq == header.seq);
    bench.ack = ISS.wrapping_add(1 + 4);
    bench.guest(ACK, b"still here");
    bench.sent().unwrap();
    assert!(!bench.endpoint.finished() && !bench.endpoint.peer_closed());
    bench.seq = bench.seq.wrapping_add(10);
    bench.guest(ACK.with(Flags::FIN, true), b"");
    assert!(bench.endpoint.peer_closed() && !bench.endpoint.finished());
    assert_eq!(bench.sent().unwrap().0.ack, bench.seq.wrapping_add(1));
    assert!(!bench.endpoint.finished(), "ten bytes are still here");
    bench.endpoint.input.consume(10);
    assert!(bench.endpoint.finished());
}

#[test]
fn an_idle_connection_is_probed_and_given_up_only_if_nobody_answers() {
    let mut bench = Bench::open();
    assert!(bench.time_out() >= Duration::from_secs(600));
    let (probe, data) = bench.sent().unwrap();
    assert_eq!((probe.seq, data.len()), (ISS, 0));
    bench.guest(ACK, b"");
    assert!(bench.time_out() >= Duration::from_secs(600), "it answered");
    for _ in 0..9 {
        bench.sent().unwrap();
        assert_eq!(bench.time_out(), Duration::from_secs(60));
    }
    bench.sent().unwrap();
    assert_eq!(bench.endpoint.timeout(), Timeout::Dead);
}

#[test]
fn our_own_connection_offers_scaling_and_uses_it_if_the_guest_does() {
    let now = Instant::now();
    let mut endpoint = Endpoint::connecting(ISS, 1460, LIMIT);
    let (syn, _) = endpoint.send(&mut [0; 2000], now).unwrap();
    assert_eq!((syn.flags, syn.mss, syn.scale), (Flags::SYN, Some(1460), Some(3)));
    let wrong = TcpHeader { seq: 9, ack: 8, flags: ACK, ..Default::default() };
    assert_eq!(endpoint.segment(&wrong, b"", now), Verdict::Refuse(8));
    let flags = Flags::SYN.with(ACK, true);
    let ack = ISS.wrapping_add(1);
    let scale = Some(200);
    let answer = TcpHeader { seq: IRS, ack, flags, window: 9, scale, ..Default::default() };
    assert_eq!(endpoint.segment(&answer, b"", now), Verdict::Taken);
    let (header, _) = endpoint.send(&mut [0; 2000], now).unwrap();
    assert_eq!((header.flags, usize::from(header.window)), (ACK, LIMIT >> 3));
    assert!(endpoint.is_open());
}

#[test]
fn a_lost_answer_to_the_syn_is_repeated() {
    let now = Instant::now();
    let syn = TcpHeader { seq: IRS, flags: Flags::SYN, window: 9, ..Default::default() };
    let mut endpoint = Endpoint::held(&syn, ISS, 1460, LIMIT);
    endpoint.open();
    assert!(endpoint.send(&mut [0; 2000], now).is_some());
    assert!(endpoint.send(&mut [0; 2000], now).is_none());
    assert_eq!(endpoint.segment(&syn, b"", now), Verdict::Taken);
    assert_eq!(endpoint.send(&mut [0; 2000], now).unwrap().0.seq, ISS);
    let rst = TcpHeader { seq: IRS.wrapping_add(1), flags: Flags::RST, ..Default::default() };
    assert_eq!(endpoint.segment(&rst, b"", now), Verdict::Reset);
}

/// What the guest's stream holds at a sequence number, counted from its first byte.
fn byte(seq: u32) -> u8 {
    let at = seq.wrapping_sub(IRS.wrapping_add(1));
    (at.wrapping_mul(0x9e37_79b1) >> 24) as u8
}

/// Segments near the truth, with everything else going on, of `seed`.
fn storm(seed: u64) {
    println!("seed {seed:#x}");
    let mut state = seed | 1;
    let mut random = move |below: u32| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % below
    };
    let (mut bench, mut read, mut data) = (Bench::open(), 0u32, vec![0; 3000]);
    let (mut next, mut sent, mut taken, mut opened) = (bench.seq, bench.ack, 0u64, 1);
    for _ in 0..200_000 {
        match random(10) {
            0 => drop(bench.endpoint.out.push(&data[..random(3000) as usize])),
            1 => {
                let mut all = vec![0; bench.endpoint.input.len()];
                bench.endpoint.input.copy_to(0, &mut all);
                let count = random(all.len() as u32 + 1);
                for (n, got) in all[..count as usize].iter().enumerate() {
                    assert_eq!(*got, byte(IRS.wrapping_add(1 + read).wrapping_add(n as u32)));
                }
                bench.endpoint.input.consume(count as usize);
                (read, taken) = (read.wrapping_add(count), taken + u64::from(count));
            }
            2..=5 => {
                if let Some((header, data)) = bench.sent() {
                    next = header.ack;
                    let end = header.seq.wrapping_add(data.len() as u32);
                    if end.wrapping_sub(sent) < 1 << 20 {
                        sent = end;
                    }
                }
            }
            6 if random(50) == 0 => {
                if let Some(at) = bench.endpoint.timer() {
                    bench.now = at;
                    bench.endpoint.timeout();
                }
            }
            6 if random(500) == 0 => bench.endpoint.close(),
            _ => {
                // The right numbers, mostly, or some around them.
                let near = |right: u32, by: u32| right.wrapping_add(by).wrapping_sub(1500);
                let flags = [0x10, 0x10, 0x10, 0x18, 0x11, 0x12, 0x14, 0x00, 0x3f];
                let odd = random(20) == 0;
                bench.seq = if random(3) == 0 { near(next, random(3000)) } else { next };
                bench.ack = if random(3) == 0 { near(sent, random(3000)) } else { sent };
                bench.window = random(9000) as u16 * u16::from(random(4) != 0);
                let len = random(2000) as usize;
                for (n, byte_at) in data[..len].iter_mut().enumerate() {
                    *byte_at = byte(bench.seq.wrapping_add(n as u32));
                }
                let flags = Flags(flags[if odd { random(9) } else { 0 } as usize]);
                let verdict = bench.guest(flags, &data[..len]);
                let over = verdict == Verdict::Reset || bench.endpoint.peer_closed();
                if over && random(4) == 0 {
                    (bench, read, opened) = (Bench::open(), 0, opened + 1);
                    (next, sent) = (bench.seq, bench.ack);
                }
            }
        }
        assert!(bench.endpoint.input.len() <= LIMIT && bench.endpoint.out.len() <= LIMIT);
    }
    assert!(taken > 1_000_000, "only {taken} bytes went through, in {opened} connections");
}

#[test]
fn segments_near_the_truth_break_nothing_with_a_fixed_seed() {
    storm(0x656e_6470_6f69_6e74);
}

#[test]
fn segments_near_the_truth_break_nothing_with_a_new_seed() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    storm(now.as_nanos() as u64);
}
