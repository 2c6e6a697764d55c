//! What a network card needs of the host: a place to send frames to and to take frames from.

use std::os::fd::RawFd;

/// The longest frame a back end may hand over or be handed: 64 KiB of payload and an Ethernet
/// header, so that segmentation offloads need no new limit.
pub const FRAME_MAX: usize = 65_550;

/// The host's side of a network card.
///
/// A back end is called from one thread, the worker of its card, and never blocks: what cannot be
/// delivered now is dropped, as on a wire.
pub trait NetBackend: Send {
    /// An Ethernet frame from the guest: no virtio header, no FCS, at most [`FRAME_MAX`] bytes.
    fn send(&mut self, frame: &[u8]);

    /// Puts the next frame for the guest into `buf` (at least [`FRAME_MAX`] bytes) and returns
    /// its length in bytes; `None` when there is none now.
    fn receive(&mut self, buf: &mut [u8]) -> Option<usize>;

    /// File descriptors to wait on, each with its poll(2) events. One of them is ready whenever
    /// [`NetBackend::receive`] may have a frame or [`NetBackend::tick`] has work. Asked again
    /// before every wait, so the set may change.
    fn poll_fds(&self) -> Vec<(RawFd, i16)>;

    /// Does the work that is due: timers, sockets that became ready, answers to what was just
    /// sent. Called once a turn, after the guest's frames were sent and before
    /// [`NetBackend::receive`]. Never called while the guest has no driver for the card.
    /// Returns the milliseconds after which it wants to be called again even if no descriptor is
    /// ready; `None` if it has nothing timed.
    fn tick(&mut self) -> Option<u64>;

    /// The largest payload of a frame in bytes, announced to the guest if the host's side knows
    /// it.
    fn mtu(&self) -> Option<u16> {
        None
    }

    /// Bytes received for a guest that is not listening (the card was reset, or the guest has no
    /// driver yet) may be thrown away: called when the card is reset.
    fn reset(&mut self) {}
}
