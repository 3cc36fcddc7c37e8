//! The names under which DNS keeps the way back from an address: rfc1035 §3.5 for IPv4, rfc3596
//! §2.5 for IPv6. Text to address and back, nothing is looked up here.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPV4_ZONE: &[u8] = b".in-addr.arpa";
const IPV6_ZONE: &[u8] = b".ip6.arpa";
const NIBBLES: usize = 32;

/// The name that a resolver asks for to learn whose `address` is, without the final dot.
///
/// ```
/// use bridgework::resolver::reverse_name;
///
/// assert_eq!(reverse_name("172.18.0.2".parse().unwrap()), "2.0.18.172.in-addr.arpa");
/// assert!(reverse_name("fd00::2".parse().unwrap()).starts_with("2.0.0.0."));
/// ```
#[must_use]
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let mut name = String::with_capacity(2 * NIBBLES + IPV6_ZONE.len());
            for byte in address.octets().iter().rev() {
                // writing to a String can't go wrong
                let _ = write!(name, "{:x}.{:x}.", byte & 0xf, byte >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// The address that `name` asks for, in whatever case, with a final dot or without.
///
/// `None` where it is no such name, or one of a whole zone (`18.172.in-addr.arpa`).
///
/// ```
/// use bridgework::resolver::parse_reverse_name;
///
/// assert_eq!(parse_reverse_name("2.0.18.172.in-addr.arpa."), "172.18.0.2".parse().ok());
/// assert_eq!(parse_reverse_name("18.172.in-addr.arpa"), None);
/// assert_eq!(parse_reverse_name("web.hmall"), None);
/// ```
#[must_use]
pub fn parse_reverse_name(name: impl AsRef<[u8]>) -> Option<IpAddr> {
    let name = without_root(name.as_ref());
    if let Some(labels) = without_suffix(name, IPV4_ZONE) {
        return parse_octets(labels).map(IpAddr::V4);
    }
    without_suffix(name, IPV6_ZONE)
        .and_then(parse_nibbles)
        .map(IpAddr::V6)
}

/// `name` without the one dot that stands for the root.
pub(super) fn without_root(name: &[u8]) -> &[u8] {
    name.strip_suffix(b".").unwrap_or(name)
}

/// `name` without `suffix`, in whatever case.
pub(super) fn without_suffix<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let (start, end) = name.split_at_checked(name.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(start)
}

fn parse_octets(labels: &[u8]) -> Option<Ipv4Addr> {
    // std refuses leading zeros, signs and any count of labels but four, as it should be here
    let reversed: Ipv4Addr = std::str::from_utf8(labels).ok()?.parse().ok()?;
    let [d, c, b, a] = reversed.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

fn parse_nibbles(labels: &[u8]) -> Option<Ipv6Addr> {
    if labels.len() != 2 * NIBBLES - 1 {
        return None;
    }
    let mut bits = 0u128;
    for (position, label) in labels.split(|&byte| byte == b'.').enumerate() {
        let [digit] = label else { return None };
        let nibble = char::from(*digit).to_digit(16)?;
        bits |= u128::from(nibble) << (4 * position);
    }
    Some(Ipv6Addr::from_bits(bits))
}
