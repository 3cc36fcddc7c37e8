//! The lines of hosts files, to the byte as Docker writes them: `address`, a tab, names. Text only;
//! what becomes of a file is said by `edit` and done by `kernel`.
//!
//! No line can be smuggled in: all that is put into one is a name or an address, parsed before.

use std::net::IpAddr;

use super::owner::Owner;
use crate::addr::HostName;

const LOOPBACK_V4: &str = "127.0.0.1\tlocalhost\n";
const LOOPBACK_V6: &str = "\
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Which families a container's loopback interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Loopback {
    /// IPv4 alone.
    V4,
    /// IPv4 and IPv6.
    Dual,
}

/// A line that the caller wants in a container's hosts file, as `--add-host` does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ExtraHost {
    /// The name.
    pub name: HostName,
    /// What it resolves to.
    pub address: IpAddr,
}

/// The hosts file of a new container, before it is connected to anything: its loopback names,
/// then the extra hosts in their order.
///
/// ```
/// use bridgework::resolver::{ExtraHost, Loopback, base_text};
///
/// let extra = ExtraHost { name: "bank".parse()?, address: "192.0.2.1".parse().unwrap() };
/// assert_eq!(base_text(Loopback::V4, &[extra]), "127.0.0.1\tlocalhost\n192.0.2.1\tbank\n");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[must_use]
pub fn base_text(loopback: Loopback, extra: &[ExtraHost]) -> String {
    let mut text = LOOPBACK_V4.to_owned();
    if loopback == Loopback::Dual {
        text.push_str(LOOPBACK_V6);
    }
    for host in extra {
        text.push_str(&line(host.address, host.name.as_str()));
        text.push('\n');
    }
    text
}

/// The lines of an endpoint in its own container's hosts file: one for each address, IPv4 before
/// IPv6, without line ends.
///
/// They show the host name, followed by the domain if there is one; where that has several labels,
/// the first stands alone behind it.
///
/// ```
/// use bridgework::resolver::endpoint_lines;
///
/// let addresses = ["fd00::2".parse().unwrap(), "10.0.0.2".parse().unwrap()];
/// assert_eq!(
///     endpoint_lines(&addresses, &"web".parse()?, Some(&"example.com".parse()?)),
///     ["10.0.0.2\tweb.example.com web", "fd00::2\tweb.example.com web"],
/// );
/// assert_eq!(endpoint_lines(&addresses[1..], &"web".parse()?, None), ["10.0.0.2\tweb"]);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[must_use]
pub fn endpoint_lines(
    addresses: &[IpAddr],
    hostname: &HostName,
    domain: Option<&HostName>,
) -> Vec<String> {
    let full = match domain {
        Some(domain) => format!("{hostname}.{domain}"),
        None => hostname.to_string(),
    };
    let names = match full.split_once('.') {
        Some((short, _)) => format!("{full} {short}"),
        None => full,
    };
    lines(addresses, &names)
}

/// The lines of an endpoint in its peers' hosts files: one for each address, IPv4 before IPv6, with
/// all of its names, without line ends.
///
/// ```
/// use bridgework::EndpointId;
/// use bridgework::resolver::{Names, Owner, peer_lines};
///
/// let names = Names::new("mysql".parse()?, ["db".parse()?]);
/// let id = EndpointId::from_bytes([1; 32]);
/// let peer = Owner::new(id, names, ["10.0.0.3".parse().unwrap()]);
/// assert_eq!(peer_lines(&peer), ["10.0.0.3\tmysql db"]);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[must_use]
pub fn peer_lines(peer: &Owner) -> Vec<String> {
    let names: Vec<&str> = peer.names().iter().map(HostName::as_str).collect();
    lines(peer.addresses(), &names.join(" "))
}

fn lines(addresses: &[IpAddr], names: &str) -> Vec<String> {
    let v4 = addresses.iter().filter(|address| address.is_ipv4());
    let v6 = addresses.iter().filter(|address| address.is_ipv6());
    v4.chain(v6).map(|address| line(*address, names)).collect()
}

fn line(address: IpAddr, names: &str) -> String {
    format!("{address}\t{names}")
}
