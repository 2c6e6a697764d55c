//! Ethernet, ARP, IPv4, UDP, ICMP and TCP headers: read from hostile bytes, written into buffers.
//!
//! Reading never trusts a length or a checksum; what does not hold together is `None` and the
//! frame is dropped, as a network card drops a frame with a bad FCS. [RFC-791] [RFC-826]
//! [RFC-768] [RFC-9293 §3.1]

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of an Ethernet header.
pub(super) const ETHERNET: usize = 14;
/// Bytes of an IPv4 header without options, as we send it.
pub(super) const IPV4: usize = 20;
/// Bytes of a UDP header, and of an ICMP one.
pub(super) const UDP: usize = 8;
/// Bytes of a TCP header without options.
pub(super) const TCP: usize = 20;
/// Where the payload of an IPv4 packet starts in a frame.
pub(super) const IPV4_PAYLOAD: usize = ETHERNET + IPV4;
/// Where the payload of a UDP datagram starts in a frame.
pub(super) const UDP_PAYLOAD: usize = IPV4_PAYLOAD + UDP;

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_ARP: u16 = 0x0806;

pub(super) const PROTOCOL_ICMP: u8 = 1;
pub(super) const PROTOCOL_TCP: u8 = 6;
pub(super) const PROTOCOL_UDP: u8 = 17;

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mac(pub(super) [u8; 6]);

impl Mac {
    pub(super) const BROADCAST: Mac = Mac([0xff; 6]);

    /// Whether one station alone may own it: no group bit, not all zero.
    pub(super) fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn mac(bytes: &[u8], at: usize) -> Option<Mac> {
    Some(Mac(bytes.get(at..at + 6)?.try_into().ok()?))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    be32(bytes, at).map(Ipv4Addr::from)
}

/// The Internet checksum's sum, not yet inverted. [RFC-1071 §2]
///
/// One's complement addition does not care for byte order, so the words are added as the host
/// loads them and only the result is turned round.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let mut total: u64 = 0;
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        total += u64::from(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    }
    let mut tail = [0; 4];
    tail[..words.remainder().len()].copy_from_slice(words.remainder());
    total += u64::from(u32::from_ne_bytes(tail));
    u16::from_be(fold(total))
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// Sum of the pseudo header that UDP and TCP checksums cover. [RFC-9293 §3.1]
fn pseudo(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: usize) -> u64 {
    u64::from(sum(&src.octets()))
        + u64::from(sum(&dst.octets()))
        + u64::from(protocol)
        + u64::from(len as u16)
}

fn transport_sum(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, segment: &[u8]) -> u16 {
    fold(pseudo(src, dst, protocol, segment.len()) + u64::from(sum(segment)))
}

/// An Ethernet II frame.
#[derive(Debug)]
pub(super) struct Ethernet<'a> {
    pub(super) dst: Mac,
    pub(super) src: Mac,
    pub(super) ethertype: u16,
    pub(super) payload: &'a [u8],
}

impl<'a> Ethernet<'a> {
    pub(super) fn parse(frame: &'a [u8]) -> Option<Self> {
        Some(Ethernet {
            dst: mac(frame, 0)?,
            src: mac(frame, 6)?,
            ethertype: be16(frame, 12)?,
            payload: frame.get(ETHERNET..)?,
        })
    }
}

/// ARP for IPv4 over Ethernet, the only kind there is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arp {
    pub(super) operation: u16,
    pub(super) sender: (Mac, Ipv4Addr),
    pub(super) target: (Mac, Ipv4Addr),
}

impl Arp {
    pub(super) const REQUEST: u16 = 1;
    pub(super) const REPLY: u16 = 2;

    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        // Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
        if packet.get(..6)? != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        Some(Arp {
            operation: be16(packet, 6)?,
            sender: (mac(packet, 8)?, address(packet, 14)?),
            target: (mac(packet, 18)?, address(packet, 24)?),
        })
    }

    /// The whole frame, sent to `dst`.
    pub(super) fn frame(&self, dst: Mac) -> Vec<u8> {
        let mut frame = vec![0; ETHERNET];
        put_ethernet(&mut frame, Route { to: dst, from: self.sender.0 }, ETHERTYPE_ARP);
        frame.extend([0, 1, 8, 0, 6, 4]);
        frame.extend(self.operation.to_be_bytes());
        for (mac, ip) in [self.sender, self.target] {
            frame.extend(mac.0);
            frame.extend(ip.octets());
        }
        frame
    }
}

/// An IPv4 packet that is whole: checksum and lengths hold, and it is no fragment.
#[derive(Debug)]
pub(super) struct Ipv4<'a> {
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
    pub(super) protocol: u8,
    pub(super) payload: &'a [u8],
    /// Header and payload, for ICMP errors to quote.
    pub(super) packet: &'a [u8],
}

impl<'a> Ipv4<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let first = *bytes.first()?;
        let header_len = usize::from(first & 0xf) * 4;
        let total_len = usize::from(be16(bytes, 2)?);
        if first >> 4 != 4 || header_len < IPV4 || total_len < header_len {
            return None;
        }
        let packet = bytes.get(..total_len)?;
        // More-fragments or an offset: reassembly is not offered.
        let fragment = be16(packet, 6)? & 0x3fff != 0;
        if fragment || sum(&packet[..header_len]) != 0xffff {
            return None;
        }
        Some(Ipv4 {
            src: address(packet, 12)?,
            dst: address(packet, 16)?,
            protocol: packet[9],
            payload: &packet[header_len..],
            packet,
        })
    }
}

/// A UDP datagram.
#[derive(Debug)]
pub(super) struct Udp<'a> {
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) payload: &'a [u8],
}

impl<'a> Udp<'a> {
    pub(super) fn parse(ip: &Ipv4<'a>) -> Option<Self> {
        let len = usize::from(be16(ip.payload, 4)?);
        let datagram = ip.payload.get(..len)?;
        let payload = datagram.get(UDP..)?;
        // A checksum field of zero means that the sender computed none. [RFC-768]
        if be16(datagram, 6)? != 0
            && transport_sum(ip.src, ip.dst, PROTOCOL_UDP, datagram) != 0xffff
        {
            return None;
        }
        Some(Udp { src_port: be16(datagram, 0)?, dst_port: be16(datagram, 2)?, payload })
    }
}

/// Control bits of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    pub(super) const FIN: Flags = Flags(0x01);
    pub(super) const SYN: Flags = Flags(0x02);
    pub(super) const RST: Flags = Flags(0x04);
    pub(super) const PSH: Flags = Flags(0x08);
    pub(super) const ACK: Flags = Flags(0x10);

    pub(super) fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn with(self, other: Flags, on: bool) -> Flags {
        if on { Flags(self.0 | other.0) } else { self }
    }
}

/// A TCP segment's header, and the options that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpHeader {
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: Flags,
    /// The field as it stands, not scaled.
    pub(super) window: u16,
    /// Maximum segment size option, on a SYN.
    pub(super) mss: Option<u16>,
    /// Window scale option, on a SYN. [RFC-7323 §2.2]
    pub(super) scale: Option<u8>,
}

impl TcpHeader {
    /// Header and payload of the segment in `ip`.
    pub(super) fn parse<'a>(ip: &Ipv4<'a>) -> Option<(Self, &'a [u8])> {
        let segment = ip.payload;
        let header_len = usize::from(*segment.get(12)? >> 4) * 4;
        if header_len < TCP || transport_sum(ip.src, ip.dst, PROTOCOL_TCP, segment) != 0xffff {
            return None;
        }
        let options = segment.get(TCP..header_len)?;
        let mut header = TcpHeader {
            src_port: be16(segment, 0)?,
            dst_port: be16(segment, 2)?,
            seq: be32(segment, 4)?,
            ack: be32(segment, 8)?,
            flags: Flags(segment[13]),
            window: be16(segment, 14)?,
            mss: None,
            scale: None,
        };
        if header.flags.has(Flags::SYN) {
            header.parse_options(options);
        }
        Some((header, &segment[header_len..]))
    }

    /// A malformed list ends where it stops making sense; what came before counts.
    fn parse_options(&mut self, mut options: &[u8]) {
        while let Some((&kind, rest)) = options.split_first() {
            match kind {
                0 => return,
                1 => options = rest,
                _ => {
                    let len = usize::from(rest.first().copied().unwrap_or(0));
                    let Some(value) = options.get(2..len) else { return };
                    match (kind, value) {
                        (2, &[high, low]) => self.mss = Some(u16::from_be_bytes([high, low])),
                        (3, &[shift]) => self.scale = Some(shift),
                        _ => {}
                    }
                    options = &options[len..];
                }
            }
        }
    }

    /// Bytes of the header with its options.
    pub(super) fn len(&self) -> usize {
        TCP + self.mss.map_or(0, |_| 4) + self.scale.map_or(0, |_| 4)
    }

    /// Writes this header before the `payload` bytes that already follow it in `frame`, with
    /// the headers below; returns the length of the frame.
    pub(super) fn put(
        &self,
        frame: &mut [u8],
        route: Route,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        payload: usize,
    ) -> usize {
        let header_len = self.len();
        let end = put_ipv4(frame, route, src, dst, PROTOCOL_TCP, header_len + payload);
        let segment = &mut frame[IPV4_PAYLOAD..end];
        segment[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        segment[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        segment[4..8].copy_from_slice(&self.seq.to_be_bytes());
        segment[8..12].copy_from_slice(&self.ack.to_be_bytes());
        segment[12] = ((header_len / 4) as u8) << 4;
        segment[13] = self.flags.0;
        segment[14..16].copy_from_slice(&self.window.to_be_bytes());
        segment[16..20].fill(0);
        let mut at = TCP;
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            segment[at..at + 4].copy_from_slice(&[2, 4, high, low]);
            at += 4;
        }
        if let Some(shift) = self.scale {
            segment[at..at + 4].copy_from_slice(&[1, 3, 3, shift]);
        }
        let check = !transport_sum(src, dst, PROTOCOL_TCP, segment);
        segment[16..18].copy_from_slice(&check.to_be_bytes());
        end
    }
}

/// The Ethernet addresses of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) to: Mac,
    pub(super) from: Mac,
}

fn put_ethernet(frame: &mut [u8], route: Route, ethertype: u16) {
    frame[0..6].copy_from_slice(&route.to.0);
    frame[6..12].copy_from_slice(&route.from.0);
    frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
}

/// Writes Ethernet and IPv4 headers before `len` bytes of payload at [`IPV4_PAYLOAD`]; returns
/// the length of the frame.
pub(super) fn put_ipv4(
    frame: &mut [u8],
    route: Route,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    len: usize,
) -> usize {
    put_ethernet(frame, route, ETHERTYPE_IPV4);
    let header = &mut frame[ETHERNET..IPV4_PAYLOAD];
    header[0..2].copy_from_slice(&[0x45, 0]);
    header[2..4].copy_from_slice(&((IPV4 + len) as u16).to_be_bytes());
    // Never fragmented (DF), so the identification may be anything. [RFC-6864 §4.1]
    header[4..8].copy_from_slice(&[0, 0, 0x40, 0]);
    header[8..12].copy_from_slice(&[64, protocol, 0, 0]);
    header[12..16].copy_from_slice(&src.octets());
    header[16..20].copy_from_slice(&dst.octets());
    let check = !sum(header);
    header[10..12].copy_from_slice(&check.to_be_bytes());
    IPV4_PAYLOAD + len
}

/// Writes the headers of a UDP datagram before the `len` bytes at [`UDP_PAYLOAD`]; returns the
/// length of the frame.
pub(super) fn put_udp(
    frame: &mut [u8],
    route: Route,
    src: SocketAddrV4,
    dst: SocketAddrV4,
    len: usize,
) -> usize {
    let end = put_ipv4(frame, route, *src.ip(), *dst.ip(), PROTOCOL_UDP, UDP + len);
    let datagram = &mut frame[IPV4_PAYLOAD..end];
    datagram[0..2].copy_from_slice(&src.port().to_be_bytes());
    datagram[2..4].copy_from_slice(&dst.port().to_be_bytes());
    datagram[4..6].copy_from_slice(&((UDP + len) as u16).to_be_bytes());
    datagram[6..8].fill(0);
    // Zero would mean "none computed"; the other zero of one's complement stands in.
    let check = match !transport_sum(*src.ip(), *dst.ip(), PROTOCOL_UDP, datagram) {
        0 => 0xffff,
        check => check,
    };
    datagram[6..8].copy_from_slice(&check.to_be_bytes());
    end
}

/// A frame with a UDP datagram of `payload`.
pub(super) fn udp_frame(
    route: Route,
    src: SocketAddrV4,
    dst: SocketAddrV4,
    payload: &[u8],
) -> Vec<u8> {
    let mut frame = vec![0; UDP_PAYLOAD + payload.len()];
    frame[UDP_PAYLOAD..].copy_from_slice(payload);
    put_udp(&mut frame, route, src, dst, payload.len());
    frame
}

/// A frame with the ICMP `message`, whose checksum is filled in here.
pub(super) fn icmp_frame(route: Route, src: Ipv4Addr, dst: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; IPV4_PAYLOAD + message.len()];
    frame[IPV4_PAYLOAD..].copy_from_slice(message);
    put_ipv4(&mut frame, route, src, dst, PROTOCOL_ICMP, message.len());
    if let Some(body) = frame.get_mut(IPV4_PAYLOAD..).filter(|body| body.len() >= UDP) {
        body[2..4].fill(0);
        let check = !sum(body);
        body[2..4].copy_from_slice(&check.to_be_bytes());
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route = Route { to: Mac([2, 0, 0, 0, 0, 1]), from: Mac([2, 0, 0, 0, 0, 2]) };
    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

    #[test]
    fn sum_is_the_internet_checksum_for_every_length() {
        // The example of [RFC-1071 §3].
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..bytes.len() {
            let mut slow = 0u64;
            for pair in bytes[..len].chunks(2) {
                slow += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
            }
            assert_eq!(sum(&bytes[..len]), fold(slow), "length {len}");
        }
    }

    #[test]
    fn udp_survives_the_round_trip_and_a_flipped_bit_does_not() {
        let (src, dst) = (SocketAddrV4::new(A, 4000), SocketAddrV4::new(B, 53));
        let frame = udp_frame(ROUTE, src, dst, b"hello");
        let ethernet = Ethernet::parse(&frame).unwrap();
        assert_eq!(ethernet.ethertype, ETHERTYPE_IPV4);
        let ip = Ipv4::parse(ethernet.payload).unwrap();
        let udp = Udp::parse(&ip).unwrap();
        assert_eq!((udp.src_port, udp.dst_port, udp.payload), (4000, 53, &b"hello"[..]));
        for byte in ETHERNET..frame.len() {
            // The type of service and a cleared checksum aside, every byte is covered.
            let mut bad = frame.clone();
            bad[byte] ^= 0x10;
            let whole = Ipv4::parse(&bad[ETHERNET..]).is_some_and(|ip| Udp::parse(&ip).is_some());
            assert!(!whole, "byte {byte}");
        }
    }

    #[test]
    fn tcp_options_survive_the_round_trip() {
        let header = TcpHeader {
            src_port: 1,
            dst_port: 2,
            seq: 3,
            ack: 4,
            flags: Flags::SYN.with(Flags::ACK, true),
            window: 5,
            mss: Some(1460),
            scale: Some(3),
        };
        let mut frame = [0; 128];
        let len = header.put(&mut frame, ROUTE, A, B, 0);
        let ip = Ipv4::parse(&frame[ETHERNET..len]).unwrap();
        assert_eq!(TcpHeader::parse(&ip), Some((header, &[][..])));
    }

    #[test]
    fn fragments_and_short_headers_are_refused() {
        let frame = udp_frame(ROUTE, SocketAddrV4::new(A, 1), SocketAddrV4::new(B, 2), &[0; 64]);
        for flags in [0x2000u16, 0x0001] {
            let mut bad = frame.clone();
            bad[20..22].copy_from_slice(&flags.to_be_bytes());
            bad[24..26].fill(0);
            let check = !sum(&bad[ETHERNET..IPV4_PAYLOAD]);
            bad[24..26].copy_from_slice(&check.to_be_bytes());
            assert!(Ipv4::parse(&bad[ETHERNET..]).is_none());
        }
        for len in 0..frame.len() - ETHERNET {
            assert!(Ipv4::parse(&frame[ETHERNET..ETHERNET + len]).is_none());
        }
    }

    #[test]
    fn a_list_of_options_that_lies_about_its_length_ends() {
        let mut header = TcpHeader::default();
        for options in [&[2u8][..], &[2, 0], &[2, 1, 9], &[2, 40, 1], &[3, 3], &[1, 1, 1, 2, 4, 1]]
        {
            header.parse_options(options);
            assert_eq!((header.mss, header.scale), (None, None));
        }
        header.parse_options(&[1, 3, 3, 7, 2, 9]);
        assert_eq!(header.scale, Some(7));
    }
}
