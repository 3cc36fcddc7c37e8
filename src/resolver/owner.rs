//! One endpoint as the resolver sees it: its names and its addresses. Plain values; where they are
//! found by name is the business of `records`.

use std::net::IpAddr;

use crate::addr::{ContainerId, ContainerName, EndpointId, HostName};

/// The names of an endpoint, at least one, no two alike but for case.
///
/// The first is the container's name, and the one that an address resolves to.
///
/// ```
/// use bridgework::ContainerId;
/// use bridgework::resolver::Names;
///
/// let aliases = ["db".parse()?, "MySQL".parse()?];
/// let id = ContainerId::from_bytes([0xab; 32]);
/// let names = Names::of_container(&"mysql".parse()?, &aliases, &id, Some(&"sql-1".parse()?));
/// let text: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
/// assert_eq!(text, ["mysql", "db", "abababababab", "sql-1"]);
/// assert_eq!(names.first().as_str(), "mysql");
/// assert!(names.contains(&"DB".parse()?));
/// assert_eq!(Names::new("web".parse()?, ["WEB".parse()?]).iter().count(), 1);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    first: HostName,
    others: Vec<HostName>,
}

impl Names {
    /// `first`, then `others` in their order. A name that differs from an earlier one only in case
    /// is left out.
    #[must_use]
    pub fn new(first: HostName, others: impl IntoIterator<Item = HostName>) -> Self {
        let mut names = Self {
            first,
            others: Vec::new(),
        };
        for name in others {
            if !names.contains(&name) {
                names.others.push(name);
            }
        }
        names
    }

    /// The names of a container in Docker's order: its name, its aliases, the first 12 digits of
    /// its id, its host name.
    #[must_use]
    pub fn of_container(
        name: &ContainerName,
        aliases: &[HostName],
        id: &ContainerId,
        hostname: Option<&HostName>,
    ) -> Self {
        let short: HostName = id.short().parse().expect("12 hex digits make a host name");
        let others = aliases.iter().cloned().chain([short]);
        Self::new(HostName::from(name), others.chain(hostname.cloned()))
    }

    /// The name that the endpoint's addresses resolve to.
    #[must_use]
    pub fn first(&self) -> &HostName {
        &self.first
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &HostName> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether `name` is one of them, in whatever case.
    #[must_use]
    pub fn contains(&self, name: &HostName) -> bool {
        self.iter()
            .any(|held| held.as_str().eq_ignore_ascii_case(name.as_str()))
    }

    pub(super) fn get(&self, index: usize) -> Option<&HostName> {
        match index.checked_sub(1) {
            None => Some(&self.first),
            Some(other) => self.others.get(other),
        }
    }
}

/// An endpoint with its names and addresses: what [`Records`](super::Records) hold.
///
/// ```
/// use bridgework::EndpointId;
/// use bridgework::resolver::{Names, Owner};
///
/// let names = Names::new("web".parse()?, []);
/// let owner = Owner::new(
///     EndpointId::from_bytes([1; 32]),
///     names,
///     ["fd00::2".parse().unwrap(), "10.0.0.2".parse().unwrap()],
/// );
/// assert_eq!(owner.endpoint(), &EndpointId::from_bytes([1; 32]));
/// assert_eq!(owner.names().first().as_str(), "web");
/// assert_eq!(owner.addresses().len(), 2);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    endpoint: EndpointId,
    names: Names,
    addresses: Vec<IpAddr>,
}

impl Owner {
    /// The endpoint with these names and addresses, each address once.
    #[must_use]
    pub fn new(
        endpoint: EndpointId,
        names: Names,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let mut kept = Vec::new();
        for address in addresses {
            if !kept.contains(&address) {
                kept.push(address);
            }
        }
        Self {
            endpoint,
            names,
            addresses: kept,
        }
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointId {
        &self.endpoint
    }

    /// Its names.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Its addresses, in the order in which they were given.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}
