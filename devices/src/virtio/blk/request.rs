//! One request: from a descriptor chain to the image and back.

use std::io;

use disk::{Buf, BufMut, Image, SECTOR};
use vm_memory::bitmap::Bitmap;

use super::spec::{
    DISCARD_MAX, HEADER_LEN, RANGE_LEN, RANGES_MAX, Status, UNMAP, ZEROES_MAX, request,
};
use crate::dma::Memory;
use crate::virtio::queue::Chain;

/// What a request is carried out with.
pub(super) struct Context<'a> {
    pub(super) image: &'a dyn Image,
    pub(super) id: &'a [u8],
    /// The driver does not flush: a write is done when it is durable [VIRTIO-1.3 §5.2.6.2].
    pub(super) write_through: bool,
}

/// Carries out the request in `chain`; returns how many bytes of its writable part were filled.
pub(super) fn serve(context: &Context<'_>, memory: &Memory, chain: &Chain) -> u32 {
    // The last writable byte takes the status. Without it there is no way to answer.
    let Some(data_len) = chain.writable().len().checked_sub(1) else { return 0 };
    let mut header = [0; HEADER_LEN];
    let status = if chain.readable().read(memory, 0, &mut header) == HEADER_LEN {
        let [t0, t1, t2, t3, _, _, _, _, sector @ ..] = header;
        let kind = u32::from_le_bytes([t0, t1, t2, t3]);
        context.dispatch(memory, chain, kind, u64::from_le_bytes(sector), data_len)
    } else {
        Status::IoErr
    };
    chain.writable().write(memory, data_len, &[status as u8]);
    u32::try_from(chain.writable().len()).unwrap_or(u32::MAX)
}

impl Context<'_> {
    fn dispatch(
        &self,
        memory: &Memory,
        chain: &Chain,
        kind: u32,
        sector: u64,
        data_len: u64,
    ) -> Status {
        let done = match kind {
            request::IN => self.read(memory, chain, sector, data_len),
            request::OUT => self.write(memory, chain, sector),
            request::FLUSH => self.image.flush(),
            request::GET_ID => {
                let len = self.id.len().min(data_len as usize);
                chain.writable().write(memory, 0, &self.id[..len]);
                Ok(())
            }
            request::DISCARD | request::WRITE_ZEROES => {
                return self.ranges(memory, chain, kind == request::WRITE_ZEROES);
            }
            _ => return Status::Unsupp,
        };
        done.into()
    }

    fn read(&self, memory: &Memory, chain: &Chain, sector: u64, len: u64) -> io::Result<()> {
        let offset = self.offset(sector, len)?;
        let slices = chain.writable().slices(memory, 0..len);
        let into: Vec<_> = slices.iter().map(BufMut::from).collect();
        let done = self.image.read_at(offset, &into);
        // The kernel wrote past vm-memory; an error may come after part of the data.
        for slice in &slices {
            slice.bitmap().mark_dirty(0, slice.len());
        }
        done
    }

    fn write(&self, memory: &Memory, chain: &Chain, sector: u64) -> io::Result<()> {
        let data = HEADER_LEN as u64..chain.readable().len();
        let offset = self.offset(sector, data.end - data.start)?;
        let slices = chain.readable().slices(memory, data);
        let from: Vec<_> = slices.iter().map(Buf::from).collect();
        self.image.write_at(offset, &from)?;
        self.settle()
    }

    /// Byte offset of a transfer of `len` bytes at `sector`.
    fn offset(&self, sector: u64, len: u64) -> io::Result<u64> {
        let offset = sector.checked_mul(SECTOR).filter(|_| len.is_multiple_of(SECTOR));
        offset.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn settle(&self) -> io::Result<()> {
        if self.write_through { self.image.flush() } else { Ok(()) }
    }

    /// A discard or write-zeroes request. Nothing happens unless all of its ranges make sense.
    fn ranges(&self, memory: &Memory, chain: &Chain, zeroes: bool) -> Status {
        let len = chain.readable().len() - HEADER_LEN as u64;
        let count = len / RANGE_LEN as u64;
        if !len.is_multiple_of(RANGE_LEN as u64) || count == 0 || count > RANGES_MAX.into() {
            return Status::IoErr;
        }
        let count_max = if zeroes { ZEROES_MAX } else { DISCARD_MAX };
        let mut ranges = [(0, 0, false); RANGES_MAX as usize];
        let ranges = &mut ranges[..count as usize];
        for (index, range) in ranges.iter_mut().enumerate() {
            let mut raw = [0; RANGE_LEN];
            chain.readable().read(memory, (HEADER_LEN + index * RANGE_LEN) as u64, &mut raw);
            let [sector @ .., c0, c1, c2, c3, f0, f1, f2, f3] = raw;
            let count = u32::from_le_bytes([c0, c1, c2, c3]);
            let len = u64::from(count) * SECTOR;
            let flags = u32::from_le_bytes([f0, f1, f2, f3]);
            // [VIRTIO-1.3 §5.2.6.2]: unknown flags, and "unmap" on a discard, are unsupported.
            if flags & !UNMAP != 0 || (flags != 0 && !zeroes) {
                return Status::Unsupp;
            }
            let offset = u64::from_le_bytes(sector).checked_mul(SECTOR);
            let end = offset.and_then(|offset| offset.checked_add(len));
            match (offset, end) {
                (Some(offset), Some(end)) if end <= self.image.size() && count <= count_max => {
                    *range = (offset, len, flags & UNMAP != 0);
                }
                _ => return Status::IoErr,
            }
        }
        let mut done = Ok(());
        for &mut (offset, len, unmap) in ranges {
            done = done.and_then(|()| match zeroes {
                true => self.image.write_zeroes(offset, len, unmap),
                false => self.image.discard(offset, len),
            });
        }
        done.and_then(|()| self.settle()).into()
    }
}

impl From<io::Result<()>> for Status {
    fn from(done: io::Result<()>) -> Self {
        match done {
            Ok(()) => Self::Ok,
            Err(_) => Self::IoErr,
        }
    }
}
