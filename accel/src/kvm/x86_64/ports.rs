//! Accesses to I/O ports; string instructions come in batches.

use super::super::page::Page;
use crate::GuestIo;

pub(super) fn access(io: &dyn GuestIo, page: &mut Page) {
    let access = page.port();
    let data = page.port_data(&access);
    // No processor has accesses of another size; KVM reports none.
    for element in data.chunks_exact_mut(access.size.clamp(1, 4)) {
        if access.write {
            io.port_write(access.port, element);
        } else {
            io.port_read(access.port, element);
        }
    }
}
