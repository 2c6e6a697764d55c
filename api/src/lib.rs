//! The types that describe a machine to Polyvisor, whoever asks for it: the command line, a file,
//! an API. Data only; `vmm` makes a machine of it and says what cannot be done.

mod spec;

pub use spec::{
    AccelKind, AccelSpec, BackendKind, BackendSpec, BoardSpec, CharKind, DeviceKind, DeviceSpec,
    Firmware, Isa, MachineSpec, TcgKind,
};
