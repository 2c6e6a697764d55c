//! What translated code and the engine agree on, whatever the host.

pub(crate) mod ahead;
pub(crate) mod cell;
pub(crate) mod codebuf;
pub(crate) mod demand;
pub(crate) mod groups;
pub(crate) mod nans;
pub(crate) mod probe;
pub(crate) mod rotate;

use nans::AnyNans;

/// Why translated code returned to the dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Exit {
    /// The program counter is in the state: look it up.
    Jump = 0,
    /// The same, and the jump at host address `hot.exit[0]` may be patched to go straight there.
    Chain = 1,
    /// A request is pending; the program counter is in the state.
    Request = 2,
    /// Look at everything: mode, mapping, interrupts. The program counter is in the state.
    Resync = 3,
    /// `core.raised` holds an exception of the instruction at the program counter in the state.
    Exception = 4,
    /// The interpreter goes on at the program counter in the state, for one block.
    Interpret = 5,
    /// As `Exception`, and the state is up to date.
    Raised = 6,
    /// The instruction whose row is that of the access at host address `hot.exit[1]` faulted: the
    /// interpreter does it again.
    Fault = 7,
    /// The instruction ends in a call of the helper at `hot.exit[0]`, for which the state is up to
    /// date.
    Call = 8,
}

impl Exit {
    pub(crate) fn from_code(code: u64) -> Self {
        match code {
            0 => Exit::Jump,
            1 => Exit::Chain,
            2 => Exit::Request,
            3 => Exit::Resync,
            4 => Exit::Exception,
            5 => Exit::Interpret,
            6 => Exit::Raised,
            7 => Exit::Fault,
            8 => Exit::Call,
            _ => unreachable!("exit code {code}: translated code returns only the codes above"),
        }
    }
}

/// What translating has come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// Translations of blocks.
    pub blocks: u64,
    /// Guest instructions in them.
    pub insns: u64,
    /// Bytes of host code, slow paths included.
    pub code_bytes: u64,
    /// Nanoseconds that it took.
    pub nanoseconds: u64,
}

/// A place in translated code where an exception can come from: where the guest is there, and
/// which guest registers are in host registers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Return address of the call into the slow path, from the start of the code buffer; or
    /// address of an access that may fault, and [`ACCESS`].
    pub(crate) host: u32,
    /// Guest program counter, from the block's.
    pub(crate) pc: i16,
    /// Dirty guest registers by the place that holds them; 0xff: none or clean.
    pub(crate) int: [u8; 3],
    /// Index into [`Rows::homes`] plus one; 0: pinned registers are where they always are.
    pub(crate) homes: u16,
    /// Index into [`Rows::vec`] plus one, for dirty vector registers; 0: none.
    pub(crate) vec: u16,
    /// Index into [`Rows::narrow`] plus one; 0: none.
    pub(crate) narrow: u16,
    /// Index into [`Rows::nans`] plus one; 0: none.
    pub(crate) nans: u16,
}

/// In [`Row::host`]: the row is that of an access, not of a call. Both kinds may name one address:
/// a call returns to the next instruction.
pub(crate) const ACCESS: u32 = 1 << 31;

/// Pairs of a host's vector register and the guest register that it holds.
pub(crate) type DirtyList = Box<[(u8, u8)]>;

/// The rows of a block, by host address.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Box<[Row]>,
    /// Distinct lists of (host place, guest register).
    pub(crate) vec: Box<[DirtyList]>,
    /// What the hosts of pinned registers hold, as [`Row::int`] says it.
    pub(crate) homes: Box<[[u8; 8]]>,
    /// Distinct sets of guest registers of which only the low 32 bits are right: what is above
    /// are copies of bit 31 ([`demand`]).
    pub(crate) narrow: Box<[u64]>,
    /// Distinct sets of vector registers whose NaNs are to be made the guest's.
    pub(crate) nans: Box<[AnyNans]>,
    /// Offset of the jump that leaves the loop which the block is.
    pub(crate) loop_exit: Option<usize>,
}

impl Rows {
    /// The row of a return address.
    pub(crate) fn find(&self, host: u32) -> Option<&Row> {
        self.rows.binary_search_by_key(&host, |r| r.host).ok().map(|i| &self.rows[i])
    }

    /// What a number in a row names, which counts from one.
    pub(crate) fn list<T>(lists: &[T], number: u16) -> Option<&T> {
        lists.get(usize::from(number.checked_sub(1)?))
    }
}
