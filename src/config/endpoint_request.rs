//! A container's place in a network, as far as what is asked for could be understood.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{ContainerLink, Family, HostName, LinkName, LinkSysctl, MacAddr, PortMapping};
use crate::error::Fault;
use crate::plan::{PortOptions, Switch};

/// What becomes of what a container was connected with before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub(crate) enum Recollection {
    /// What is not asked for again is as it was then.
    #[default]
    Recalled,
    /// It counts no more.
    Forgotten,
}

/// A place that passed the check.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct EndpointRequest {
    pub(crate) ipv4: Option<IpAddr>,
    pub(crate) ipv6: Option<IpAddr>,
    /// Those of further subnets, and all of them until it is known which these are.
    pub(crate) further: Vec<IpAddr>,
    pub(crate) link_local: Vec<IpNet>,
    pub(crate) priority: Option<i32>,
    pub(crate) links: Vec<ContainerLink>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) aliases: Vec<HostName>,
    pub(crate) link_name: Option<LinkName>,
    pub(crate) port: PortOptions,
    pub(crate) sysctls: Vec<LinkSysctl>,
    pub(crate) ports: Vec<PortMapping>,
    pub(crate) exposed: Vec<PortMapping>,
    pub(crate) source_guard: Option<Switch>,
    pub(crate) leads_out_ipv4: Option<Switch>,
    pub(crate) leads_out_ipv6: Option<Switch>,
    pub(crate) route_metric: Option<u32>,
    pub(crate) host_link_name: Option<LinkName>,
    pub(crate) memory: Recollection,
}

impl EndpointRequest {
    /// Whether what it leaves open is as it was before.
    pub(crate) fn recalls(&self) -> bool {
        self.memory == Recollection::Recalled
    }

    /// Whether a default route may lead by it, where the network leads out.
    pub(crate) fn leads_out(&self, family: Family) -> Switch {
        let asked = match family {
            Family::V4 => self.leads_out_ipv4,
            Family::V6 => self.leads_out_ipv6,
        };
        asked.unwrap_or(Switch::On)
    }

    /// The addresses that it asks for.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let first = self.ipv4.into_iter().chain(self.ipv6);
        first.chain(self.further.iter().copied())
    }

    /// The same, and what it leaves open as in `former`.
    pub(crate) fn recalling(self, former: Self) -> Self {
        fn or<T>(now: Vec<T>, then: Vec<T>) -> Vec<T> {
            if now.is_empty() { then } else { now }
        }
        Self {
            ipv4: self.ipv4.or(former.ipv4),
            ipv6: self.ipv6.or(former.ipv6),
            further: or(self.further, former.further),
            link_local: or(self.link_local, former.link_local),
            priority: self.priority.or(former.priority),
            links: or(self.links, former.links),
            mac: self.mac.or(former.mac),
            aliases: or(self.aliases, former.aliases),
            link_name: self.link_name.or(former.link_name),
            port: match self.port.is_default() {
                true => former.port,
                false => self.port,
            },
            sysctls: or(self.sysctls, former.sysctls),
            ports: or(self.ports, former.ports),
            exposed: or(self.exposed, former.exposed),
            source_guard: self.source_guard.or(former.source_guard),
            leads_out_ipv4: self.leads_out_ipv4.or(former.leads_out_ipv4),
            leads_out_ipv6: self.leads_out_ipv6.or(former.leads_out_ipv6),
            route_metric: self.route_metric.or(former.route_metric),
            host_link_name: self.host_link_name.or(former.host_link_name),
            memory: self.memory,
        }
    }
}

/// What can be asked of a user-defined network only.
pub(crate) fn check_default_request(request: &EndpointRequest, faults: &mut Vec<Fault>) {
    let wants_address = request.addresses().next().is_some();
    faults.extend(wants_address.then_some(Fault::AddressOnDefault));
    faults.extend((!request.aliases.is_empty()).then_some(Fault::AliasOnDefault));
}
