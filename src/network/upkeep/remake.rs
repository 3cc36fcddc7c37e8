//! A veth pair goes as a whole, whichever end was deleted. It is made again with what its container's
//! end had; names, files, ports and what answers the container never went.

use crate::driver::lead_out;
use crate::error::Result;
use crate::kernel::{Kernel, Netns};
use crate::network::ties::Ties;
use crate::plan::{Plan, Step};

impl Ties {
    /// The wire is there again, as it was made, and the container's default routes lead by it if they
    /// did. It is the stack's turn to change.
    ///
    /// # Errors
    /// The kernel refused; nothing is left of the attempt. Or a link of the container's own has the
    /// name or the number of the one that is gone.
    pub(in crate::network) fn remake(&self, kernel: &Kernel, netns: &Netns) -> Result<()> {
        // another process that watches may have been quicker
        if kernel.link_at(&self.spec.host_link)?.is_some() {
            return Ok(());
        }
        // somebody may have moved the host's end away, which leaves the container's
        let mut left = Plan::with_container(self.spec.container.clone());
        let link = self.spec.link.clone();
        left.push(Step::DeleteLink { link });
        kernel.take_back(&left, Some(netns))?;
        kernel.apply_at_once(&self.wire_again(), Some(netns))
    }

    fn wire_again(&self) -> Plan {
        let own = self.plan.steps().iter().take(self.own);
        let mut plan = Plan::with_container(self.spec.container.clone());
        plan.extend(own.filter(|step| is_of_wire(step)).cloned());
        let moves = self.place.wiring().moves_again(&self.spec.id);
        let _own = lead_out(&mut plan, &self.spec.link, moves);
        plan
    }
}

/// Whether it fell with the wire. Nobody waits until a bridge forwards that somebody may have deleted
/// too.
fn is_of_wire(step: &Step) -> bool {
    match step {
        Step::AwaitForwarding { .. } => false,
        Step::AddRoute(route) => route.destination.prefix_len() > 0,
        Step::SetSysctl { .. } | Step::RaiseLoopback { .. } => true,
        step => step.link().is_some() && !matches!(step, Step::ReplaceRoute { .. }),
    }
}
