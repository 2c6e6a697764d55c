//! Virtio devices in the slots of a board.

use api::{DeviceKind, DeviceSpec};
use devices::dma::Dma;
use devices::irq::IrqLine;
use devices::virtio::blk::Blk;
use devices::virtio::net::Net;
use devices::virtio::rng::Rng;
use devices::virtio::{VirtioDevice, VirtioMmio};

use super::backends::Backends;
use crate::error::Error;
use crate::worker::Worker;

/// A slot with a device, and the worker that drives it.
pub(crate) struct Slot {
    pub(crate) device: VirtioMmio,
    pub(crate) worker: Worker,
}

/// Makes the devices, in order; `line` is the wire of a slot.
pub(crate) fn fill(
    specs: &[DeviceSpec],
    backends: &mut Backends<'_>,
    memory: &Dma,
    line: impl Fn(usize) -> IrqLine,
) -> Result<Vec<Slot>, Error> {
    let mut slots = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        if specs[..index].iter().any(|other| other.id == spec.id) {
            let id = &spec.id;
            return Err(Error::Spec(format!("two devices are called `{id}`; rename one")));
        }
        let no_signal = |source| Error::Host { what: "the signals of a virtio device", source };
        let device = make(spec, index, backends)?;
        let device = VirtioMmio::new(device, memory.clone(), line(index)).map_err(no_signal)?;
        let worker = Worker::new(spec.id.clone(), device.worker().map_err(no_signal)?);
        slots.push(Slot { device, worker });
    }
    Ok(slots)
}

fn make(
    spec: &DeviceSpec,
    index: usize,
    backends: &mut Backends<'_>,
) -> Result<Box<dyn VirtioDevice>, Error> {
    Ok(match &spec.kind {
        DeviceKind::VirtioBlk { backend } => Box::new(Blk::new(backends.disk(backend)?, &spec.id)),
        DeviceKind::VirtioNet { backend, mac } => {
            let (wire, name) = backends.net(backend)?;
            Box::new(Net::new(wire, mac.unwrap_or_else(|| made_up_mac(index, name))))
        }
        DeviceKind::VirtioRng => {
            let source = |source| Error::Host { what: "its source of random bytes", source };
            Box::new(Rng::new().map_err(source)?)
        }
    })
}

/// A locally administered address: of a wire that only this machine has, by its number; of one
/// that it may share with others, by its name, so that they differ.
fn made_up_mac(index: usize, wire: Option<&str>) -> [u8; 6] {
    let low = match wire {
        None => 0x12_3456 + index as u32,
        Some(name) => name.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        }),
    };
    let [_, a, b, c] = low.to_be_bytes();
    [0x52, 0x54, 0, a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_addresses_differ_and_last() {
        assert_eq!(made_up_mac(0, None), [0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        assert_ne!(made_up_mac(0, None), made_up_mac(1, None));
        assert_ne!(made_up_mac(0, Some("tap0")), made_up_mac(0, Some("tap1")));
        assert_eq!(made_up_mac(0, Some("tap0")), made_up_mac(1, Some("tap0")));
    }
}
