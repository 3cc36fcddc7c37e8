//! Records that are lost are made again of what the kernel still says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use crate::addr::{
    ContainerName, LinkName, NamespaceId, NetworkId, PortMapping, PortRange, PublishedPort,
};
use crate::audit::{Rebuilt, rebuild};
use crate::error::Result;
use crate::network::{Ledger, is_overtaken};
use crate::plan::ALIAS_MARK;
use crate::record::{
    Body, ContainerFiles, ContainerRecord, DnsOverrides, EndpointRecord, Key, Namespace,
    NetworkRecord, OwnerId, Phase, Record, Tenure,
};
use crate::snapshot::Snapshot;
use crate::spec::{EndpointSpec, NetworkSpec, Stack};
use crate::store::{Change, Expected};

use super::Host;
use super::orphans::index_of;
use super::strangers::is_of_another_store;

impl Host {
    /// Writes down what bears our mark in the kernel and is of no record, where records were lost.
    /// Returns what was written.
    pub(super) fn rebuild_records(&self, ledger: &Ledger) -> Result<Vec<Key>> {
        let seen = self.see_marked()?;
        // what somebody has made since they were lost was written down before it was seen
        self.0.registry.catch_up()?;
        let mut rebuilt = rebuild(&seen.snapshot, &seen.elements, SystemTime::now().into());
        let tag = ledger.tag();
        rebuilt
            .networks
            .retain(|network| network.id.store_tag() == tag);
        rebuilt
            .endpoints
            .retain(|endpoint| endpoint.id.store_tag() == tag);
        leave_out(&mut rebuilt, &ledger.records());
        let containers: BTreeSet<Key> = ledger
            .containers()
            .iter()
            .map(|container| key_of(container))
            .collect();
        let mut records: Vec<Record> = bodies(rebuilt).into_iter().map(kept_by_nobody).collect();
        records.retain(|record| !containers.contains(&record.key()));
        let written = match write_down(ledger, &records) {
            Ok(()) => records.iter().map(Record::key).collect(),
            // of a name, a subnet or an address that is somebody else's by now
            Err(error) if is_overtaken(&error) => write_apart(ledger, records)?,
            Err(error) => return Err(error),
        };
        self.0.registry.catch_up()?;
        Ok(written)
    }
}

fn key_of(container: &ContainerRecord) -> Key {
    Body::container_key(container.id)
}

fn kept_by_nobody(body: Body) -> Record {
    // nobody has asked for one to be kept while it is on no network
    let tenure = match body {
        Body::Container(_) => Tenure::Held,
        _ => Tenure::Kept,
    };
    Record {
        body,
        phase: Phase::There,
        tenure,
        owner: OwnerId::NOBODY,
    }
}

fn write_down(ledger: &Ledger, records: &[Record]) -> Result<()> {
    let mut change = Change::new();
    for record in records {
        change = change.put(record.clone(), Expected::Absent);
    }
    match change.is_empty() {
        true => Ok(()),
        false => ledger.hand_in(|| "write down what the kernel has".to_owned(), &change),
    }
}

/// Each by itself, and none that is on a network that is not written down. Returns what is.
fn write_apart(ledger: &Ledger, records: Vec<Record>) -> Result<Vec<Key>> {
    let mut written = Vec::new();
    let mut refused: BTreeSet<NetworkId> = BTreeSet::new();
    for record in records {
        let key = record.key();
        let network = match &record.body {
            Body::Network(network) => Some(network.spec.id),
            Body::Endpoint(endpoint) => Some(endpoint.spec.network),
            _ => None,
        };
        if network.is_some_and(|network| refused.contains(&network)) {
            continue;
        }
        let is_network = matches!(record.body, Body::Network(_));
        match write_down(ledger, &[record]) {
            Ok(()) => written.push(key),
            Err(error) if is_overtaken(&error) => {
                refused.extend(network.filter(|_| is_network));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

/// Whoever has come since the records were lost is of records, and so may be the network that others
/// are on, and the container that is on others.
fn leave_out(rebuilt: &mut Rebuilt, records: &[Record]) {
    let owned: BTreeSet<u32> = records.iter().filter_map(index_of).collect();
    rebuilt
        .endpoints
        .retain(|endpoint| !owned.contains(&endpoint.host_link.index.get()));
    for record in records {
        match &record.body {
            Body::Network(known) => rebuilt.rename_network(&known.spec),
            Body::Container(known) => rebuilt.rename_container(known),
            _ => {}
        }
    }
    rebuilt
        .networks
        .retain(|network| !owned.contains(&network.link.index.get()));
}

impl Rebuilt {
    /// It has that id, of which only the first digits are written in the kernel.
    fn rename_network(&mut self, known: &NetworkSpec) {
        let is_it = |network: &&NetworkSpec| network.link.index == known.link.index;
        let Some(guessed) = self.networks.iter().find(is_it).map(|network| network.id) else {
            return;
        };
        let on_it = self.endpoints.iter_mut();
        for endpoint in on_it.filter(|endpoint| endpoint.network == guessed) {
            endpoint.network = known.id;
        }
    }

    fn rename_container(&mut self, known: &ContainerRecord) {
        let its = self.endpoints.iter_mut();
        for endpoint in its.filter(|endpoint| endpoint.container == known.name) {
            endpoint.container_id = known.id;
        }
    }
}

/// Whether a namespace has links that bear our mark, and are of no other store.
pub(super) fn has_marks(snapshot: &Snapshot, tag: u16) -> bool {
    let mut links = snapshot.links.iter();
    links.any(|link| link.alias.starts_with(ALIAS_MARK) && !is_of_another_store(link, tag))
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
        all.push(Body::Network(Arc::new(NetworkRecord { spec, found })));
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
        all.push(Body::Endpoint(Arc::new(EndpointRecord { spec, staged })));
    }
    let containers = containers.into_values();
    all.extend(containers.map(|container| Body::Container(Arc::new(container))));
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
