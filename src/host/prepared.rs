//! A network between its request and the kernel: its name and subnets are taken, and everything else
//! is chosen from what the host has.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::SystemTime;

use crate::addr::{Family, LinkName, MacAddr, Mtu};
use crate::config::{Firewall, NetworkRequest};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::ipam::Pool;
use crate::kernel::random_bytes;
use crate::network::{Pools, Registered};
use crate::plan::{Link, Side, Switch};
use crate::record::NetworkRecord;
use crate::snapshot::Snapshot;
use crate::spec::{NetworkRange, NetworkSpec, Origin};

use super::builtin::{Adopted, random_id};

/// Who wants a network.
pub(super) enum Kind {
    /// A caller.
    Custom,
    /// A caller, on this bridge.
    On(Adopted),
    /// The host itself, on this bridge if it is there.
    Default(Option<Adopted>),
}

impl Kind {
    /// The bridge that is there already.
    pub(super) fn adopted(&self) -> Option<&Adopted> {
        match self {
            Self::On(adopted) => Some(adopted),
            Self::Default(adopted) => adopted.as_ref(),
            Self::Custom => None,
        }
    }

    pub(super) fn origin(&self) -> Origin {
        match self {
            Self::Custom | Self::On(_) => Origin::Custom,
            Self::Default(_) => Origin::Builtin,
        }
    }
}

/// A network whose name and subnets are taken, and nothing else has been done for.
pub(super) struct Prepared {
    kind: Kind,
    firewall: Firewall,
    request: NetworkRequest,
    pub(super) driver: Arc<dyn Driver>,
    pub(super) snapshot: Snapshot,
    pub(super) registered: Registered,
    pub(super) pools: Pools,
    ranges: BTreeMap<Family, NetworkRange>,
    further: Vec<NetworkRange>,
}

impl Prepared {
    pub(super) fn new(
        (kind, firewall): (Kind, Firewall),
        request: NetworkRequest,
        (driver, snapshot): (Arc<dyn Driver>, Snapshot),
        registered: Registered,
        families: Vec<(NetworkRange, Pool)>,
    ) -> Self {
        let (mut ranges, mut further) = (BTreeMap::new(), Vec::new());
        for (range, _) in &families {
            match ranges.entry(Family::of_subnet(range.subnet)) {
                Entry::Vacant(first) => drop(first.insert(range.clone())),
                Entry::Occupied(_) => further.push(range.clone()),
            }
        }
        let pools = families.into_iter().map(|(_, pool)| pool);
        Self {
            kind,
            firewall,
            request,
            driver,
            snapshot,
            registered,
            pools: pools.collect(),
            ranges,
            further,
        }
    }

    /// What is written down for it.
    pub(super) fn record(&self, spec: NetworkSpec) -> NetworkRecord {
        let found = self.kind.adopted().map(Adopted::found);
        NetworkRecord { spec, found }
    }

    pub(super) fn spec(&self) -> Result<NetworkSpec> {
        let request = &self.request;
        let id = random_id()?.of_store(self.registered.store_tag());
        let link_name: LinkName = match &request.link_name {
            Some(name) => name.clone(),
            None => format!("br-{}", id.short()).parse()?,
        };
        let adopted = self.kind.adopted();
        let link = match adopted {
            Some(adopted) => adopted.link.clone(),
            None => Link::new(Side::Host, link_name, id.link_index()),
        };
        // a bridge that is there keeps its own
        let own = adopted.and_then(|adopted| adopted.state.mac);
        let mac = match own.or(request.mac) {
            Some(mac) => mac,
            None => MacAddr::locally_administered(random_bytes()?),
        };
        let mtu = adopted.and_then(|adopted| Mtu::new(adopted.state.mtu_bytes).ok());
        Ok(NetworkSpec {
            id,
            name: request.name.clone(),
            driver: request.driver.clone(),
            origin: self.kind.origin(),
            created: SystemTime::now().into(),
            ipv4: self.ranges.get(&Family::V4).cloned(),
            ipv6: self.ranges.get(&Family::V6).cloned(),
            further: self.further.clone(),
            internal: request.internal,
            mtu: request.mtu.or(mtu).unwrap_or_else(|| self.default_mtu()),
            link,
            mac,
            bridge: request.bridge.clone(),
            mac_policy: request.mac_policy,
            hosts: request.hosts,
            resolver: request.resolver,
            labels: request.labels.clone(),
            options: request.options.clone(),
            config_from: request.config_from.clone(),
            firewall: self.firewall,
            config_only: Switch::Off,
        })
    }

    fn default_mtu(&self) -> Mtu {
        let outside = self.snapshot.default_route_mtu().unwrap_or(Mtu::ETHERNET);
        let mtu = outside.min(Mtu::ETHERNET);
        if self.ranges.contains_key(&Family::V6) {
            mtu.max(Mtu::IPV6_MIN)
        } else {
            mtu
        }
    }

    /// Whether it was a name or index derived from the id that is taken.
    pub(super) fn may_try_again(&self, error: &Error) -> bool {
        error.is_exists() && error.left_behind().is_empty() && self.request.link_name.is_none()
    }
}
