//! What a `resolv.conf` says. Pure: the text comes from elsewhere.

use std::net::IpAddr;

/// The name servers of a `resolv.conf`, in their order. A zone (`%eth0`) is left out, and so is
/// every line that makes no sense; it is never an error.
///
/// ```
/// use bridgework::resolver::nameservers;
///
/// let servers = nameservers("# by hand\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch x\n");
/// assert_eq!(servers, ["10.0.0.2".parse::<std::net::IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
/// ```
// resolv.conf(5)
#[must_use]
pub fn nameservers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let address = words
            .next()
            .filter(|&word| word == "nameserver")
            .and(words.next())?;
        let (address, _zone) = address.split_once('%').unwrap_or((address, ""));
        address.parse().ok()
    };
    text.lines().filter_map(server).collect()
}
