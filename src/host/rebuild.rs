//! Records that are lost are made again of what the kernel still says.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::addr::{ContainerName, LinkName, NamespaceId, PortMapping, PortRange, PublishedPort};
use crate::audit::{Rebuilt, rebuild};
use crate::error::Result;
use crate::network::Ledger;
use crate::plan::ALIAS_MARK;
use crate::record::{
    Body, ContainerFiles, ContainerRecord, DnsOverrides, EndpointRecord, Key, Namespace,
    NetworkRecord, Phase, Record, Tenure,
};
use crate::snapshot::Snapshot;
use crate::spec::{EndpointSpec, Stack};
use crate::store::{Change, Expected};

use super::Host;
use super::state::NOBODY;

impl Host {
    /// Writes down what bears our mark in the kernel, where there are no records at all. Returns what
    /// was written.
    pub(super) fn rebuild_records(&self, ledger: &Ledger) -> Result<Vec<Key>> {
        let seen = self.see_marked()?;
        let rebuilt = rebuild(&seen.snapshot, &seen.elements, SystemTime::now().into());
        let mut change = Change::new();
        for body in bodies(rebuilt) {
            // nobody has asked for one to be kept while it is on no network
            let tenure = match body {
                Body::Container(_) => Tenure::Held,
                _ => Tenure::Kept,
            };
            let record = Record {
                body,
                phase: Phase::There,
                tenure,
                owner: NOBODY,
            };
            change = change.put(record, Expected::Absent);
        }
        let keys = change.put.iter().map(|(record, _)| record.key()).collect();
        if !change.is_empty() {
            ledger.hand_in(|| "write down what the kernel has".to_owned(), &change)?;
            self.0.registry.catch_up()?;
        }
        Ok(keys)
    }
}

/// Whether a namespace has links that bear our mark.
pub(super) fn has_marks(snapshot: &Snapshot) -> bool {
    let mut links = snapshot.links.iter();
    links.any(|link| link.alias.starts_with(ALIAS_MARK))
}

fn bodies(rebuilt: Rebuilt) -> Vec<Body> {
    let Rebuilt {
        networks,
        endpoints,
        mut published,
    } = rebuilt;
    let mut containers: BTreeMap<_, ContainerRecord> = BTreeMap::new();
    let mut all: Vec<Body> = Vec::new();
    for spec in networks {
        let found = None;
        all.push(Body::Network(Box::new(NetworkRecord { spec, found })));
    }
    let mut ends: BTreeMap<ContainerName, u32> = BTreeMap::new();
    for mut spec in endpoints {
        // what they are called inside nobody knows, and no two of one container are called the same
        let end = ends.entry(spec.container.clone()).or_default();
        if let Ok(name) = LinkName::numbered("eth", *end) {
            spec.link.name = name;
        }
        *end += 1;
        let number = containers.len() as u64;
        let container = containers.entry(spec.container.clone());
        let container = container.or_insert_with(|| {
            let ports = published.remove(&spec.container).unwrap_or_default();
            unreachable(&spec, number, &ports)
        });
        spec.container_id = container.id;
        let staged = None;
        all.push(Body::Endpoint(Box::new(EndpointRecord { spec, staged })));
    }
    let containers = containers.into_values();
    all.extend(containers.map(|container| Body::Container(Box::new(container))));
    all
}

/// A container whose namespace nobody knows the way to.
fn unreachable(spec: &EndpointSpec, number: u64, ports: &[PublishedPort]) -> ContainerRecord {
    ContainerRecord {
        id: spec.container_id,
        name: spec.container.clone(),
        hostname: spec.hostname.clone(),
        domain: None,
        namespace: Namespace {
            path: None,
            // no file system has that number
            identity: NamespaceId::new(u64::MAX, number, 0),
        },
        files: ContainerFiles::default(),
        dns: DnsOverrides::default(),
        published: by_mapping(ports),
        stack: Stack::Own,
        residence: None,
    }
}

/// As they would be asked for: a port at all addresses of both families is one mapping.
fn by_mapping(ports: &[PublishedPort]) -> BTreeMap<PortMapping, Vec<PublishedPort>> {
    let mut mappings: BTreeMap<PortMapping, Vec<PublishedPort>> = BTreeMap::new();
    for port in ports {
        let mapping = PortMapping::new(port.container_port, port.protocol);
        let mapping = match port.host_address.is_unspecified() {
            true => mapping,
            false => mapping.at(port.host_address),
        };
        if let Ok(mapping) = mapping.by(PortRange::from(port.host_port)) {
            mappings.entry(mapping).or_default().push(*port);
        }
    }
    mappings
}
