//! A network that is asked at its gateway's addresses: who asks is told by the address that the
//! question comes from.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::addr::{Family, Subnet};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::resolver::server::{Audience, Listeners};
use crate::resolver::{Client, ClientTerms, Forwarding, Membership, Records, View};
use crate::spec::{EndpointSpec, NetworkSpec};

use super::service::{NameService, Served};
use super::{DNS_PORT, subnets};

/// The sockets at a network's gateway. They are closed when this is dropped.
pub(in crate::network) struct Gateway {
    neighbours: Arc<Neighbours>,
    _served: Served,
}

/// Who may ask there.
struct Neighbours {
    subnets: Vec<Subnet>,
    containers: RwLock<HashMap<IpAddr, Arc<Client>>>,
    /// Whoever else is on the network, the host itself among them: it has the network's names.
    others: Arc<Client>,
}

impl Gateway {
    /// Of a network whose addresses are there, on the host whose kernel this is.
    pub(in crate::network) fn open(
        (service, kernel): (&NameService, &Kernel),
        network: &NetworkSpec,
        records: &Arc<Records>,
    ) -> Result<Self> {
        let gateways = network.ranges().filter_map(|range| range.gateway);
        let gateways = gateways.filter(|at| network.options.bears_gateway(Family::of(*at)));
        let places: Vec<SocketAddr> = gateways.map(|at| SocketAddr::new(at, DNS_PORT)).collect();
        let (udp, tcp) = kernel.open_listeners(&places)?;
        let neighbours = Arc::new(Neighbours::new(network, records, service));
        let asked = Arc::clone(&neighbours);
        let audience = Audience::Neighbours {
            by_address: Arc::new(move |address| asked.by_address(address)),
        };
        let served = service.serve(Listeners { udp, tcp }, audience)?;
        Ok(Self {
            neighbours,
            _served: served,
        })
    }

    /// A container has come, and asks as this one.
    pub(in crate::network) fn welcome(&self, endpoint: &EndpointSpec, client: &Arc<Client>) {
        let mut containers = self.neighbours.containers.write();
        for address in endpoint.addresses() {
            containers.insert(address.address.addr(), Arc::clone(client));
        }
    }

    /// A container goes.
    pub(in crate::network) fn dismiss(&self, endpoint: &EndpointSpec) {
        let mut containers = self.neighbours.containers.write();
        for address in endpoint.addresses() {
            containers.remove(&address.address.addr());
        }
    }
}

impl Neighbours {
    fn new(network: &NetworkSpec, records: &Arc<Records>, service: &NameService) -> Self {
        let subnets = subnets(network);
        let view = View::new([Membership {
            records: Arc::clone(records),
            links: Vec::new(),
            subnets: subnets.clone(),
        }]);
        let forwarding = match network.internal.is_on() {
            true => Forwarding::Nobody,
            false => Forwarding::Host,
        };
        let search = Vec::new();
        let domain = service.domain().cloned();
        let terms = ClientTerms {
            forwarding,
            search,
            domain,
        };
        Self {
            subnets,
            containers: RwLock::default(),
            others: Arc::new(Client::new(Arc::new(view), terms)),
        }
    }

    /// Who is on another network may have no way out: it is nobody's here.
    fn by_address(&self, address: IpAddr) -> Option<Arc<Client>> {
        let address = address.to_canonical();
        let container = self.containers.read().get(&address).cloned();
        container.or_else(|| {
            let is_near = self.subnets.iter().any(|subnet| subnet.contains(address));
            is_near.then(|| Arc::clone(&self.others))
        })
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let containers = self.neighbours.containers.read();
        write!(f, "Gateway({} containers)", containers.len())
    }
}
