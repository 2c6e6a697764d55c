//! Numbers of the network card [VIRTIO-1.3 §5.1].

/// Feature bits [VIRTIO-1.3 §5.1.3].
pub(super) mod feature {
    /// VIRTIO_NET_F_MTU: the largest payload is in the configuration.
    pub(crate) const MTU: u64 = 1 << 3;
    /// VIRTIO_NET_F_MAC: the address is in the configuration.
    pub(crate) const MAC: u64 = 1 << 5;
    /// VIRTIO_NET_F_MRG_RXBUF: a frame may be spread over several receive buffers.
    pub(crate) const MRG_RXBUF: u64 = 1 << 15;
    /// VIRTIO_NET_F_STATUS: the state of the link is in the configuration.
    pub(crate) const STATUS: u64 = 1 << 16;
}

/// Queue numbers [VIRTIO-1.3 §5.1.2].
pub(super) const RECEIVEQ: usize = 0;
pub(super) const TRANSMITQ: usize = 1;

/// Bytes of the header before every frame: flags, gso_type, hdr_len, gso_size, csum_start,
/// csum_offset, num_buffers [VIRTIO-1.3 §5.1.6].
pub(super) const HEADER_LEN: usize = 12;
/// Where in it the number of buffers is.
pub(super) const NUM_BUFFERS: usize = 10;

/// Bytes of an Ethernet header; no frame is shorter.
pub(super) const ETHERNET_HEADER_LEN: usize = 14;

/// Status: the link is up [VIRTIO-1.3 §5.1.4].
const LINK_UP: u16 = 1;

/// The configuration space: mac, status, max_virtqueue_pairs (not offered), mtu.
pub(super) fn config(mac: [u8; 6], mtu: Option<u16>) -> [u8; 12] {
    let mut space = [0; 12];
    space[0..6].copy_from_slice(&mac);
    space[6..8].copy_from_slice(&LINK_UP.to_le_bytes());
    space[10..12].copy_from_slice(&mtu.unwrap_or(0).to_le_bytes());
    space
}
