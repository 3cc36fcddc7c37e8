//! A container as it is kept for other processes, and opened again from that.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use crate::driver::Stack;
use crate::error::{Error, Fault, Result};
use crate::kernel::Netns;
use crate::record::{ContainerFiles, ContainerRecord, DnsOverrides, Namespace};
use crate::resolver::ResolvOverrides;

use super::files::{Hosts, Resolv};
use super::home::Home;
use super::{Container, Identity, Inner};

impl Container {
    /// All that another process needs to open it again; of its ports and its place nothing is known
    /// here.
    pub(crate) fn record(&self) -> ContainerRecord {
        let (identity, home) = (&self.0.identity, &self.0.home);
        ContainerRecord {
            id: identity.id,
            name: identity.name.clone(),
            hostname: identity.hostname.clone(),
            domain: identity.domain.clone(),
            namespace: Namespace {
                path: home.netns.place(),
                identity: home.netns.identity(),
            },
            files: ContainerFiles {
                hosts: home.hosts.as_ref().map(Hosts::as_kept),
                resolv: home.resolv.as_ref().map(Resolv::as_kept),
            },
            dns: texts(&home.overrides),
            published: BTreeMap::new(),
            stack: self.0.stack,
            residence: None,
        }
    }

    /// The container that was kept so, on that host. Its files stay when it is closed.
    pub(crate) fn reopen(record: &ContainerRecord, host: &Netns) -> Result<Self> {
        let netns = find_namespace(record, host)?;
        let overrides = ResolvOverrides::of_record(&record.dns)?;
        let ContainerFiles { hosts, resolv } = record.files.clone();
        let hosts = hosts.map(|(file, kept)| Hosts::reopen(file, kept));
        let resolv =
            resolv.map(|(file, kept, text)| Resolv::reopen(file, (kept, text), overrides.clone()));
        Ok(Self(Arc::new(Inner {
            identity: Identity {
                id: record.id,
                name: record.name.clone(),
                hostname: record.hostname.clone(),
                domain: record.domain.clone(),
            },
            home: Arc::new(Home::new(netns, (hosts, resolv), overrides)),
            stack: record.stack,
            memories: Default::default(),
            held: Default::default(),
        })))
    }

    /// The files that are kept for it stay as they are when the last handle is dropped.
    pub(crate) fn leave_files(&self) {
        let home = &self.0.home;
        home.hosts.iter().for_each(Hosts::stay);
        home.resolv.iter().for_each(Resolv::stay);
    }
}

fn find_namespace(record: &ContainerRecord, host: &Netns) -> Result<Netns> {
    let identity = record.namespace.identity;
    if record.stack == Stack::Host && host.identity() == identity {
        return Ok(host.clone());
    }
    let place = record.namespace.path.as_ref();
    let found = place.map(|path| Netns::again(path, identity)).transpose()?;
    found.flatten().ok_or_else(|| {
        let (container, place) = (record.name.clone(), place.cloned());
        Error::of("", vec![Fault::ContainerGone { container, place }])
    })
}

fn texts(overrides: &ResolvOverrides) -> DnsOverrides {
    DnsOverrides {
        servers: all_texts(&overrides.nameservers),
        search: all_texts(&overrides.search),
        options: all_texts(&overrides.options),
    }
}

fn all_texts(values: &[impl Display]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

impl ResolvOverrides {
    /// As they were kept.
    pub(crate) fn of_record(texts: &DnsOverrides) -> Result<Self> {
        Ok(Self {
            nameservers: all_values(&texts.servers)?,
            search: all_values(&texts.search)?,
            options: all_values(&texts.options)?,
        })
    }
}

fn all_values<T>(texts: &[String]) -> Result<Vec<T>>
where
    T: FromStr,
    Error: From<T::Err>,
{
    let values = texts.iter().map(|text| text.parse::<T>());
    Ok(values.collect::<std::result::Result<_, _>>()?)
}
