//! Tier 0: executes instructions by describing them to a builder that does what it is told.

mod direct;
pub(crate) mod fields;
pub(crate) mod vector;

pub(crate) use direct::Direct;

use crate::builder::{At, Flow, Reserve};
use crate::cache::{Block, Body};
use crate::guest::{Guest, Monitored};
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
        if let Some(ended) = after(core, at, flow) {
            return ended;
        }
    }
    fields::write::<G>(&mut core.state, G::PC, pc.wrapping_add(u64::from(block.len)));
    Ended::Jump
}

/// Looks after how an instruction ended; `None` if the next one of the block follows.
#[inline(always)]
fn after<G: Guest>(
    core: &mut Core<G>,
    at: At,
    flow: Result<Flow<u64>, G::Exception>,
) -> Option<Ended> {
    // By far the most common, so it is told apart without a jump to an unknown address.
    if let Ok(Flow::Next) = flow {
        if core.stale {
            fields::write::<G>(&mut core.state, G::PC, at.next());
            return Some(Ended::Resync);
        }
        return None;
    }
    let next = match flow {
        Ok(Flow::Next) => return None,
        Ok(Flow::Goto(to) | Flow::Jump(to)) => to,
        Ok(Flow::Branch(0, _)) => return None,
        Ok(Flow::Branch(_, to)) => to,
        Ok(Flow::ResyncIfAsked) if !core.resync_asked() => return None,
        Ok(Flow::Resync | Flow::ResyncIfAsked) => {
            fields::write::<G>(&mut core.state, G::PC, at.next());
            return Some(Ended::Resync);
        }
        Ok(Flow::Dispatch) => return Some(Ended::Resync),
        Err(e) => {
            fields::write::<G>(&mut core.state, G::PC, at.pc);
            core.deliver(e);
            return Some(Ended::Resync);
        }
    };
    fields::write::<G>(&mut core.state, G::PC, next);
    Some(Ended::Jump)
}

/// The same for a vCPU that runs alone, `left` instructions at most and up to a store-conditional,
/// after which none are left.
pub(crate) fn run_alone<G: Guest>(core: &mut Core<G>, block: &Block<G>, left: &mut usize) -> Ended {
    let Body::Insns(insns) = &block.body else { return run(core, block) };
    for i in insns.iter() {
        let at = At { reserve: Reserve::ALONE, ..block.at(i) };
        *left = match G::monitored(&i.insn) {
            Monitored::Store => 0,
            _ => *left - 1,
        };
        let flow = if core.machine.eval {
            ir::eval(core, at, i.insn, block.key.mode)
        } else {
            G::lower(&mut Direct::new(core, at), at, i.insn, block.key.mode)
        };
        if let Some(ended) = after(core, at, flow) {
            return ended;
        }
        fields::write::<G>(&mut core.state, G::PC, at.next());
        if *left == 0 {
            break;
        }
    }
    Ended::Jump
}
