//! What every device model implements.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One register access, already split by the bus: `size` is 1, 2, 4 or 8, and the bytes
/// `offset..offset + size` lie inside the region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Which of the device's regions was hit (an index into [`Device::regions`]).
    pub region: u8,
    /// Bytes from the start of that region.
    pub offset: u64,
    /// Width of the access in bytes: 1, 2, 4 or 8.
    pub size: u8,
}

/// What a write asks of the machine; the bus applies it after the device's lock is released.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing beyond the device itself.
    None,
    /// Something about the whole machine.
    Machine(MachineEvent),
}

/// A request of the guest that concerns the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineEvent {
    /// Power off; the run ends well.
    Shutdown,
    /// Power-cycle.
    Reset,
    /// The guest reports failure, with this code unless it is zero.
    Exit(u32),
}

/// A device model.
///
/// Reads and writes cannot fail: hardware answers every access. Unimplemented registers read as
/// the datasheet says, otherwise as zero; bad sizes likewise. No input may panic, block, or
/// allocate by an amount the guest chose.
pub trait Device: Send {
    /// The name of the model, as in the registry (`"plic"`, `"virtio-blk"`).
    fn kind(&self) -> &'static str;
    /// Byte lengths of the MMIO regions, in order.
    fn regions(&self) -> Vec<u64>;
    /// Reads a register; the value is zero-extended, and the bus truncates it to `size`.
    fn read(&mut self, at: Access) -> u64;
    /// Writes a register; bits of `value` above `size` are zero.
    fn write(&mut self, at: Access, value: u64) -> Effect;
    /// Back to the state of power-on. Afterwards the device equals a new one.
    fn reset(&mut self);
    /// Everything the guest could observe, as versioned data (`{"version": 1, ...}`); types for
    /// it live in the device's `state.rs`, apart from the running structs.
    fn save(&self) -> Value;
    /// The inverse of [`Device::save`]; on error the device is left reset.
    fn restore(&mut self, state: &Value) -> Result<(), StateError>;
}

/// Why saved state was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    /// The data does not parse as this device's state.
    #[error("the saved state of {kind} is malformed: {what}")]
    Malformed {
        /// Device model.
        kind: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The state was written by a newer version.
    #[error("the saved state of {kind} has version {found}; this build reads up to {known}")]
    Version {
        /// Device model.
        kind: &'static str,
        /// Version in the data.
        found: u64,
        /// Newest version understood.
        known: u64,
    },
}

/// Saved state of one device kind: a type of its own, apart from the running structs, so that the
/// model can change without breaking saved machines.
///
/// A changed layout gets a new type and a higher [`SavedState::VERSION`]; [`SavedState::upgrade`]
/// turns older data into it.
pub trait SavedState: Serialize + DeserializeOwned {
    /// The device's name in the registry.
    const KIND: &'static str;
    /// Version written, and the newest one read.
    const VERSION: u64;

    /// Brings data of the older version `from` to the present layout; by default there is none.
    fn upgrade(from: u64, _fields: Value) -> Result<Value, StateError> {
        Err(Self::malformed(format!("version {from} was never written")))
    }

    /// The state as `{"version": VERSION, ...fields}`.
    fn to_value(&self) -> Value {
        // Plain structs of numbers and lists always serialize; anything else is a defect that the
        // conformance test meets, because `Null` is not readable back.
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("version".into(), Self::VERSION.into());
        }
        value
    }

    /// The inverse of [`SavedState::to_value`].
    fn from_value(state: &Value) -> Result<Self, StateError> {
        let mut fields = state.clone();
        let version = fields
            .as_object_mut()
            .and_then(|object| object.remove("version"))
            .and_then(|version| version.as_u64())
            .ok_or_else(|| Self::malformed("it has no version number".into()))?;
        if version > Self::VERSION {
            return Err(StateError::Version {
                kind: Self::KIND,
                found: version,
                known: Self::VERSION,
            });
        }
        if version < Self::VERSION {
            fields = Self::upgrade(version, fields)?;
        }
        serde_json::from_value(fields).map_err(|error| Self::malformed(error.to_string()))
    }

    /// The error for data that parses but makes no sense.
    fn malformed(what: String) -> StateError {
        StateError::Malformed { kind: Self::KIND, what }
    }
}
