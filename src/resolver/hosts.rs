//! The lines of hosts files, to the byte as Docker writes them: `address`, a tab, names. Text only;
//! what becomes of a file is said by `edit` and done by `kernel`.
//!
//! No line can be smuggled in: all that is put into one is a name or an address, parsed before.

use std::net::IpAddr;

use super::extra::ExtraHost;
use super::owner::Owner;
use crate::addr::{ContainerName, HostName};

const LOOPBACK_V4: &str = "127.0.0.1\tlocalhost\n";
const LOOPBACK_V6: &str = "\
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// Which families a container's loopback interface has.
///
/// ```
/// use bridgework::resolver::{Loopback, base_text};
///
/// assert_eq!(base_text(Loopback::V4, &[]), "127.0.0.1\tlocalhost\n");
/// assert!(base_text(Loopback::Dual, &[]).contains("::1\tlocalhost"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Loopback {
    /// IPv4 alone.
    V4,
    /// IPv4 and IPv6.
    Dual,
}

/// The hosts file of a new container with a stack of its own, before it is connected to anything:
/// its loopback names, then the extra hosts in their order, those of IPv6 only where its loopback
/// interface has IPv6. In the mode `none` it stays like this.
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
    let has_family = |address: IpAddr| loopback == Loopback::Dual || address.is_ipv4();
    for host in extra.iter().filter(|host| has_family(host.address)) {
        text.push_str(&line(host.address, host.name.as_str()));
        text.push('\n');
    }
    text
}

/// The hosts file of a container that shares the host's stack: a copy of `host`, which is the text
/// of the host's own.
///
/// With extra hosts it is no copy but the [`base_text`] with these alone, as Docker has it: a name
/// in the host's file would otherwise come before the caller's.
///
/// ```
/// use bridgework::resolver::{ExtraHost, Loopback, base_text, host_text};
///
/// let host = "127.0.0.1 localhost\n127.0.1.1 laptop\n";
/// assert_eq!(host_text(host, Loopback::Dual, &[]), host);
///
/// let extra = [ExtraHost { name: "laptop".parse()?, address: "192.0.2.1".parse().unwrap() }];
/// assert_eq!(host_text(host, Loopback::Dual, &extra), base_text(Loopback::Dual, &extra));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[must_use]
pub fn host_text(host: &str, loopback: Loopback, extra: &[ExtraHost]) -> String {
    match extra {
        [] => host.to_owned(),
        extra => base_text(loopback, extra),
    }
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

/// The lines of a link on the default bridge (`--link target:alias`), in the hosts file of the
/// container that links: one for each address of the target, IPv4 before IPv6, without line ends.
///
/// They show the alias, the target's host name and its name, each once. The host name is the first
/// 12 digits of the target's id where it was given none.
///
/// ```
/// use bridgework::resolver::link_lines;
///
/// let addresses = ["172.17.0.2".parse().unwrap()];
/// assert_eq!(
///     link_lines(&addresses, &"db".parse()?, &"abababababab".parse()?, &"mysql".parse()?),
///     ["172.17.0.2\tdb abababababab mysql"],
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[must_use]
pub fn link_lines(
    addresses: &[IpAddr],
    alias: &HostName,
    hostname: &HostName,
    target: &ContainerName,
) -> Vec<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in [alias.as_str(), hostname.as_str(), target.as_str()] {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    lines(addresses, &names.join(" "))
}

fn lines(addresses: &[IpAddr], names: &str) -> Vec<String> {
    let v4 = addresses.iter().filter(|address| address.is_ipv4());
    let v6 = addresses.iter().filter(|address| address.is_ipv6());
    v4.chain(v6).map(|address| line(*address, names)).collect()
}

fn line(address: IpAddr, names: &str) -> String {
    format!("{address}\t{names}")
}
