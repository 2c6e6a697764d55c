//! Register state, declared once and read by many.
//!
//! [`cpu_state!`](crate::cpu_state) declares the registers of an architecture. The translator
//! addresses the fields by offset, accelerators copy them in and out, snapshots save them by
//! name, gdb numbers them, and [`CpuState::diff`] names the first one that differs.

use std::fmt::Debug;

/// A guest architecture, used as a type parameter: several live in one binary.
pub trait Arch: Sized + Send + Sync + 'static {
    /// The name that users type and that Linux gives it: `riscv64`, `aarch64`, `x86_64`.
    const NAME: &'static str;
    /// The registers of one virtual CPU.
    type State: CpuState;
    /// Which optional parts of the architecture a virtual CPU has.
    type Model: Clone + Debug + Default + Send + Sync;
}

/// What a register is for; the unit in which accelerators copy and gdb lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// General registers and the program counter.
    General,
    /// Floating-point registers and their control.
    Float,
    /// Vector registers and their control.
    Vector,
    /// System registers: privilege, translation, traps, timers.
    System,
    /// State without an architectural name: reservations, counter bases, latched lines.
    Internal,
}

/// One register of a [`CpuState`]: an element of an array counts as a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg {
    /// Unique name, the key in snapshots: `x5`, `pc`, `satp`.
    pub name: &'static str,
    /// The name in the calling convention, `t0` for `x5`; otherwise the same as `name`.
    pub alias: &'static str,
    /// What it is for.
    pub group: Group,
    /// Byte offset in the state structure.
    pub offset: u32,
    /// Width in bits.
    pub bits: u16,
    /// gdb's number for it.
    pub gdb: Option<u32>,
}

/// A register that differs between two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegDiff {
    /// [`Reg::name`].
    pub name: &'static str,
    /// Value in the state on which `diff` was called.
    pub old: u128,
    /// Value in the other state.
    pub new: u128,
}

/// The registers of one virtual CPU: plain data, laid out as declared.
pub trait CpuState: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// Every register, in the order of declaration (and so of offset).
    const REGS: &'static [Reg];

    /// The value of a register of [`Self::REGS`], zero-extended.
    ///
    /// # Panics
    /// If `reg` is not of this state's list: a mistake of ours, never of a guest.
    fn get(&self, reg: &Reg) -> u128;

    /// Sets a register of [`Self::REGS`] to the low bits of `value`.
    ///
    /// # Panics
    /// If `reg` is not of this state's list.
    fn set(&mut self, reg: &Reg, value: u128);

    /// The register of that name or alias.
    fn reg(name: &str) -> Option<&'static Reg> {
        Self::REGS.iter().find(|reg| reg.name == name || reg.alias == name)
    }

    /// The registers whose values differ, in the order of declaration.
    fn diff(&self, other: &Self) -> Vec<RegDiff> {
        Self::REGS
            .iter()
            .map(|reg| RegDiff { name: reg.name, old: self.get(reg), new: other.get(reg) })
            .filter(|diff| diff.old != diff.new)
            .collect()
    }
}

/// The type of a field in [`cpu_state!`](crate::cpu_state): a register or an array of them.
pub trait RegCells {
    /// Number of registers.
    const LEN: usize;
    /// Width of each, in bytes; the elements follow one another without gaps.
    const BYTES: usize;
    /// All zero.
    const ZERO: Self;
    /// Value of one register.
    fn cell(&self, index: usize) -> u128;
    /// Sets one register to the low bits of `value`.
    fn set_cell(&mut self, index: usize, value: u128);
}

macro_rules! reg_cells {
    ($($int:ty),*) => { $(
        impl RegCells for $int {
            const LEN: usize = 1;
            const BYTES: usize = size_of::<$int>();
            const ZERO: Self = 0;
            fn cell(&self, _index: usize) -> u128 {
                u128::from(*self)
            }
            fn set_cell(&mut self, _index: usize, value: u128) {
                *self = value as $int;
            }
        }
        impl<const N: usize> RegCells for [$int; N] {
            const LEN: usize = N;
            const BYTES: usize = size_of::<$int>();
            const ZERO: Self = [0; N];
            fn cell(&self, index: usize) -> u128 {
                u128::from(self[index])
            }
            fn set_cell(&mut self, index: usize, value: u128) {
                self[index] = value as $int;
            }
        }
    )* };
}
reg_cells!(u64, u128);

/// Declares the registers of an architecture.
///
/// ```
/// arch::cpu_state! {
///     /// A toy.
///     pub struct Toy {
///         /// General registers.
///         r: [u64; 2] = General, gdb 0, names ["r0", "r1"], aliases ["lo", "hi"];
///         /// Program counter.
///         pc: u64 = General, gdb 2;
///         /// Mode.
///         mode: u64 = System;
///     }
/// }
/// use arch::CpuState;
/// let toy = Toy { r: [7, 8], pc: 9, mode: 1 };
/// assert_eq!(toy.get(Toy::reg("hi").unwrap()), 8);
/// assert_eq!(toy.diff(&Toy { pc: 3, ..toy.clone() })[0].name, "pc");
/// ```
///
/// Fields are `u64`, `[u64; N]` or `[u128; N]`; an array must name its elements. `gdb` numbers
/// the first element.
#[macro_export]
macro_rules! cpu_state {
    (
        $(#[$meta:meta])*
        $vis:vis struct $State:ident {
            $(
                $(#[$field_meta:meta])*
                $field:ident : $ty:ty = $group:ident
                    $(, gdb $gdb:expr)? $(, names $names:expr)? $(, aliases $aliases:expr)? ;
            )*
        }
    ) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $State {
            $( $(#[$field_meta])* pub $field: $ty, )*
        }

        impl ::core::default::Default for $State {
            /// All zero; not the state after a reset.
            fn default() -> Self {
                Self { $( $field: <$ty as $crate::state::RegCells>::ZERO, )* }
            }
        }

        impl $crate::state::CpuState for $State {
            const REGS: &'static [$crate::state::Reg] = {
                use $crate::state::{Group, Reg, RegCells};
                const COUNT: usize = 0 $( + <$ty as RegCells>::LEN )*;
                const ALL: [Reg; COUNT] = {
                    const NONE: Reg = Reg {
                        name: "", alias: "", group: Group::Internal, offset: 0, bits: 0, gdb: None,
                    };
                    let mut all = [NONE; COUNT];
                    let mut at = 0;
                    $( {
                        let names: [&'static str; <$ty as RegCells>::LEN] =
                            $crate::cpu_state!(@first [ $( $names )? ] [ [stringify!($field)] ]);
                        let aliases: [&'static str; <$ty as RegCells>::LEN] =
                            $crate::cpu_state!(@first [ $( $aliases )? ] [ names ]);
                        let gdb: Option<u32> =
                            $crate::cpu_state!(@first [ $( Some($gdb) )? ] [ None ]);
                        let mut index = 0;
                        while index < <$ty as RegCells>::LEN {
                            let offset = ::core::mem::offset_of!($State, $field)
                                + index * <$ty as RegCells>::BYTES;
                            all[at] = Reg {
                                name: names[index],
                                alias: aliases[index],
                                group: Group::$group,
                                offset: offset as u32,
                                bits: (<$ty as RegCells>::BYTES * 8) as u16,
                                gdb: match gdb {
                                    Some(first) => Some(first + index as u32),
                                    None => None,
                                },
                            };
                            at += 1;
                            index += 1;
                        }
                    } )*
                    all
                };
                &ALL
            };

            fn get(&self, reg: &$crate::state::Reg) -> u128 {
                use $crate::state::RegCells;
                let offset = reg.offset as usize;
                $( {
                    let start = ::core::mem::offset_of!($State, $field);
                    if offset >= start && offset < start + ::core::mem::size_of::<$ty>() {
                        return self.$field.cell((offset - start) / <$ty as RegCells>::BYTES);
                    }
                } )*
                panic!("{} is not a register of {}", reg.name, stringify!($State));
            }

            fn set(&mut self, reg: &$crate::state::Reg, value: u128) {
                use $crate::state::RegCells;
                let offset = reg.offset as usize;
                $( {
                    let start = ::core::mem::offset_of!($State, $field);
                    if offset >= start && offset < start + ::core::mem::size_of::<$ty>() {
                        let index = (offset - start) / <$ty as RegCells>::BYTES;
                        self.$field.set_cell(index, value);
                        return;
                    }
                } )*
                panic!("{} is not a register of {}", reg.name, stringify!($State));
            }
        }
    };
    (@first [ $given:expr ] [ $default:expr ]) => { $given };
    (@first [] [ $default:expr ]) => { $default };
}

#[cfg(test)]
mod tests {
    use super::CpuState;

    fn names_are_distinct<S: CpuState>() {
        let mut names: Vec<&str> = S::REGS.iter().map(|reg| reg.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!((names.len(), names[0].is_empty()), (all, false));
    }

    #[test]
    fn every_register_has_a_name_of_its_own() {
        names_are_distinct::<crate::riscv64::Hart>();
        names_are_distinct::<crate::aarch64::Cpu>();
        names_are_distinct::<crate::x86_64::Cpu>();
    }
}
