//! What other processes have done to a stack, and what of it this one takes upon itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addr::{LinkName, PortMapping, PublishedPort};
use crate::driver::doors;
use crate::error::Fault;
use crate::kernel::{HostPorts, Kernel, WeakNetns};
use crate::plan::nft::Element;
use crate::plan::{ElementsEdit, Link, Plan, Step};
use crate::record::{ContainerRecord, DnsOverrides};

use super::{Place, Wiring};
use crate::network::names::Outlook;
use crate::network::ports::{Ports, PortsChange};

impl Wiring {
    /// The place that another process has taken; of a namespace whose number is another one's by now,
    /// it is a stack of its own.
    pub(in crate::network) fn recall_place(self: &Arc<Self>, name: &LinkName) -> Place {
        let mut state = self.state.lock();
        if !state.names.contains_key(name) {
            return self.hold(&mut state, name.clone());
        }
        let other = Self::new(WeakNetns::of_nobody());
        let mut state = other.state.lock();
        other.hold(&mut state, name.clone())
    }

    /// The ports that another process has published.
    pub(in crate::network) fn recall_ports(
        &self,
        (kernel, ports): (&Kernel, &HostPorts),
        container: &ContainerRecord,
    ) {
        self.edit_ports(kernel, |recalled| {
            let doors = doors(&self.exits_without(&[]));
            recalled.recall(ports, container, doors);
            kernel.recall(&plan_of(recalled.elements()));
        });
    }

    /// What does not lead anywhere after it is known of no more. Nobody looks at the ports in between,
    /// and has what goes made again.
    pub(in crate::network) fn edit_ports<T>(
        &self,
        kernel: &Kernel,
        edit: impl FnOnce(&mut Ports) -> T,
    ) -> T {
        let mut ports = self.ports.lock();
        let mut gone = ports.elements();
        let edited = edit(&mut ports);
        let stay = ports.elements();
        gone.retain(|element| !stay.contains(element));
        kernel.forget_plan(&plan_of(gone));
        edited
    }

    /// Nothing that leads to its ports is known of any more.
    pub(in crate::network) fn forget_ports(&self, kernel: &Kernel) {
        kernel.forget_plan(&plan_of(self.ports.lock().elements()));
    }

    /// The ports that another process has published are held by this one.
    pub(in crate::network) fn hold_ports(&self, ports: &HostPorts) -> Result<(), Vec<Fault>> {
        self.ports.lock().hold(ports)
    }

    /// Whether this process answers it.
    pub(in crate::network) fn is_answered(&self) -> bool {
        self.names.lock().is_open()
    }

    /// Whether its containers did not want that of who answers them until now.
    pub(in crate::network) fn is_news(&self, wishes: &DnsOverrides) -> bool {
        self.names.lock().is_news(wishes)
    }

    /// What its containers want of who answers them.
    pub(in crate::network) fn inform(&self, wishes: &DnsOverrides, outlook: Outlook) {
        self.names.lock().inform(wishes, outlook);
        self.change(|_| ());
    }

    /// What its containers want of who answers them, as it comes to now.
    pub(in crate::network) fn renew(&self, outlook: Outlook) {
        self.names.lock().renew(outlook);
        self.change(|_| ());
    }

    /// Another process has led its questions somewhere.
    pub(in crate::network) fn recall_names(&self) {
        self.names.lock().recall();
    }

    /// What that end of a wire has to do for published ports, when it is a bridge's port anew.
    pub(in crate::network) fn turns_back(&self, ports: &HostPorts, link: &Link) -> Vec<Step> {
        let mut steps = self.ports.lock().turns_back(ports);
        steps.retain(|step| step.link() == Some(link));
        steps
    }

    /// What is published, as it was asked for and as it is.
    pub(in crate::network) fn publications(&self) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
        self.ports.lock().publications()
    }

    /// What would be published after a change.
    pub(in crate::network) fn outcome(
        &self,
        change: &PortsChange,
    ) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
        self.ports.lock().outcome(change)
    }
}

/// All that is done for ports to be reached by these.
fn plan_of(elements: Vec<Element>) -> Plan {
    Plan::from_iter([Step::EditElements(ElementsEdit::adding(elements))])
}
