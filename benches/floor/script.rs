//! A plan as what the floor does, in order. Nothing happens here.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use bridgework::plan::{HostsFile, Plan, Side, Step};

use super::batch::Batch;

/// One thing that the floor does.
pub enum Op {
    Send(Side, Batch),
    Write(Side, String, String),
    /// Lines at the end of a file.
    Append(PathBuf, String),
    /// Looks at a port until it forwards.
    Await(u32),
}

pub struct Script {
    ops: Vec<Op>,
    /// The host's link that it makes, 0 for none.
    link: u32,
}

impl Script {
    /// `container` is the namespace in which a veth's far end is born. The floor has no firewall.
    pub fn new(plan: &Plan, container: Option<BorrowedFd<'_>>) -> Self {
        let mut ops = Vec::new();
        let mut link = 0;
        for step in plan.steps() {
            match step {
                Step::RaiseFirewall(_)
                | Step::EditElements(_)
                | Step::ForgetFlows(_)
                | Step::AddPolicyRule(_)
                | Step::AddProhibition(_)
                | Step::AddRedirect(_)
                // a published port is turned back where bridged frames are filtered
                | Step::SetPort { .. } => {}
                Step::SetSysctl { side, key, value } => {
                    ops.push(Op::Write(
                        *side,
                        format!("/proc/sys/{key}"),
                        value.to_string(),
                    ));
                }
                Step::EditHosts(edit) => {
                    let HostsFile::At(path) = &edit.file else {
                        panic!("the floor's files have paths")
                    };
                    ops.push(Op::Append(path.clone(), edit.add.join("\n") + "\n"));
                }
                Step::AwaitForwarding { link } => ops.push(Op::Await(link.index.get())),
                step => batch(&mut ops, step.side().expect("a kernel's step")).add(step, container),
            }
            if let Step::AddVeth(veth) = step {
                link = veth.link.index.get();
            }
        }
        for op in &mut ops {
            if let Op::Send(_, batch) = op {
                batch.ask();
            }
        }
        Self { ops, link }
    }

    pub fn link(&self) -> u32 {
        self.link
    }

    pub fn ops(&self) -> &[Op] {
        &self.ops
    }
}

/// The batch that is being made for `side`: the last one, or a new one.
fn batch(ops: &mut Vec<Op>, side: Side) -> &mut Batch {
    if !matches!(ops.last(), Some(Op::Send(of, _)) if *of == side) {
        ops.push(Op::Send(side, Batch::default()));
    }
    match ops.last_mut() {
        Some(Op::Send(_, batch)) => batch,
        _ => unreachable!("a batch was pushed"),
    }
}
