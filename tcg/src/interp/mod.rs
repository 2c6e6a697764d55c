//! Tier 0: executes instructions by describing them to a builder that does what it is told.

mod direct;
pub(crate) mod fields;
pub(crate) mod vector;

pub(crate) use direct::Direct;

use crate::builder::Flow;
use crate::cache::{Block, Body};
use crate::guest::Guest;
use crate::ir;
use crate::vcpu::Core;

/// How the run of a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The program counter is set: go on there.
    Jump,
    /// The same, but something else may have changed.
    Resync,
}

/// Runs a block to its end, or to the exception that it raised (already entered).
pub(crate) fn run<G: Guest>(core: &mut Core<G>, block: &Block<G>) -> Ended {
    if core.machine.eval { run_by::<G, true>(core, block) } else { run_by::<G, false>(core, block) }
}

/// `EVAL`: instructions are executed by way of their lists ([`crate::ir`]).
fn run_by<G: Guest, const EVAL: bool>(core: &mut Core<G>, block: &Block<G>) -> Ended {
    let (pc, mode) = (block.key.pc, block.key.mode);
    let insns = match &block.body {
        Body::Insns(insns) => insns,
        Body::Undefined(bits) => {
            fields::write::<G>(&mut core.state, G::PC, pc);
            core.deliver(G::undefined(*bits));
            return Ended::Resync;
        }
    };
    for i in insns.iter() {
        let at = block.at(i);
        let flow = if EVAL {
            ir::eval(core, at, i.insn, mode)
        } else {
            G::lower(&mut Direct::new(core, at), at, i.insn, mode)
        };
        // By far the most common, so it is told apart without a jump to an unknown address.
        if let Ok(Flow::Next) = flow {
            if core.stale {
                fields::write::<G>(&mut core.state, G::PC, at.next());
                return Ended::Resync;
            }
            continue;
        }
        let next = match flow {
            Ok(Flow::Next) => continue,
            Ok(Flow::Goto(to) | Flow::Jump(to)) => to,
            Ok(Flow::Branch(0, _)) => continue,
            Ok(Flow::Branch(_, to)) => to,
            Ok(Flow::ResyncIfAsked) if !core.resync_asked() => continue,
            Ok(Flow::Resync | Flow::ResyncIfAsked) => {
                fields::write::<G>(&mut core.state, G::PC, at.next());
                return Ended::Resync;
            }
            Ok(Flow::Dispatch) => return Ended::Resync,
            Err(e) => {
                fields::write::<G>(&mut core.state, G::PC, at.pc);
                core.deliver(e);
                return Ended::Resync;
            }
        };
        fields::write::<G>(&mut core.state, G::PC, next);
        return Ended::Jump;
    }
    fields::write::<G>(&mut core.state, G::PC, pc.wrapping_add(u64::from(block.len)));
    Ended::Jump
}
