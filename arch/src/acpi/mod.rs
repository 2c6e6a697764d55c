//! Tables of ACPI, put one after another into a window of memory `[ACPI-6.5 §5.2]`.

use acpi_tables::rsdp::Rsdp;
use acpi_tables::sdt::Sdt;
use acpi_tables::xsdt::XSDT;
use acpi_tables::{Aml, AmlSink};

use crate::Window;

/// Who made the tables.
pub const OEM_ID: [u8; 6] = *b"PLYVSR";
/// Which tables they are.
pub const OEM_TABLE_ID: [u8; 8] = *b"POLYVISR";
/// Which edition of them.
pub const OEM_REVISION: u32 = 1;

/// Tables should start at a multiple of this.
const ALIGNMENT: usize = 64;

/// The tables do not fit into their window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ACPI tables have {len} bytes, more than {limit}: use fewer CPUs or devices")]
pub struct TablesTooLarge {
    /// How large they are.
    pub len: usize,
    /// How large they may be.
    pub limit: u64,
}

/// Finished tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Address of the first byte.
    pub base: u64,
    /// All of them.
    pub bytes: Vec<u8>,
    /// Address of the RSDP, from which a guest finds the others.
    pub rsdp: u64,
}

/// Tables that are being put together.
pub(crate) struct Builder {
    window: Window,
    bytes: Vec<u8>,
}

impl Builder {
    /// Tables in `window`; room for the RSDP is at its beginning, where guests look for it.
    pub(crate) fn new(window: Window) -> Self {
        Self { window, bytes: vec![0; Rsdp::len()] }
    }

    /// Adds a table and returns its address.
    pub(crate) fn add(&mut self, table: &dyn Aml) -> u64 {
        let start = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(start, 0);
        table.to_aml_bytes(&mut Sink(&mut self.bytes));
        self.window.base + start as u64
    }

    /// Adds the list of `tables` and what points to it.
    pub(crate) fn finish(mut self, tables: &[u64]) -> Result<Tables, TablesTooLarge> {
        let mut xsdt = XSDT::new(OEM_ID, OEM_TABLE_ID, OEM_REVISION);
        for table in tables {
            xsdt.add_entry(*table);
        }
        let xsdt = self.add(&xsdt);
        let mut rsdp = Vec::new();
        Rsdp::new(OEM_ID, xsdt).to_aml_bytes(&mut Sink(&mut rsdp));
        self.bytes[..rsdp.len()].copy_from_slice(&rsdp);
        if self.bytes.len() as u64 > self.window.size {
            return Err(TablesTooLarge { len: self.bytes.len(), limit: self.window.size });
        }
        Ok(Tables { base: self.window.base, bytes: self.bytes, rsdp: self.window.base })
    }
}

/// A DSDT with these objects `[ACPI-6.5 §5.2.11.1]`.
pub(crate) fn dsdt(objects: &[&dyn Aml]) -> Sdt {
    const HEADER: u32 = 36;
    let mut code = Vec::new();
    for object in objects {
        object.to_aml_bytes(&mut Sink(&mut code));
    }
    let mut table = Sdt::new(*b"DSDT", HEADER, 2, OEM_ID, OEM_TABLE_ID, OEM_REVISION);
    table.append_slice(&code);
    table
}

struct Sink<'a>(&'a mut Vec<u8>);

impl AmlSink for Sink<'_> {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn vec(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}
