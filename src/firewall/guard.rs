//! A container's port on its bridge as elements: what it may say that it is.

use std::net::IpAddr;

use super::words::{Words, link};
use crate::plan::nft::{Element, Field, TableFamily};
use crate::spec::EndpointSpec;

/// Its hardware address and its addresses, and nobody else's.
pub(crate) fn guard_elements(endpoint: &EndpointSpec) -> Vec<Element> {
    let words = words_of(endpoint);
    let port = || link(&endpoint.host_link.name);
    let mac = || Field::Ether(endpoint.mac);
    let mut elements = vec![
        words.member("guarded", [port()]),
        words.member("macs", [port(), mac()]),
    ];
    let own = endpoint.addresses().map(|address| address.address.addr());
    let on_link = endpoint.link_local.iter().map(ipnet::IpNet::addr);
    let by_mac = endpoint
        .ipv6
        .as_ref()
        .map(|_| endpoint.mac.link_local().into());
    let mut sources: Vec<IpAddr> = own.chain(on_link).chain(by_mac).collect();
    sources.sort();
    sources.dedup();
    for source in sources {
        let set = match source {
            IpAddr::V4(_) => "sources4",
            IpAddr::V6(_) => "sources6",
        };
        elements.push(words.member(set, [port(), mac(), source.into()]));
        if let IpAddr::V6(target) = source {
            elements.push(words.member("targets6", [port(), mac(), Field::Target(target)]));
        }
    }
    elements
}

/// It may say that it is anybody, within its bridge.
pub(crate) fn unguarded_element(endpoint: &EndpointSpec) -> Element {
    words_of(endpoint).member("unguarded", [link(&endpoint.host_link.name)])
}

/// Nothing that it sends goes to another port of its bridge.
pub(crate) fn apart_element(endpoint: &EndpointSpec) -> Element {
    words_of(endpoint).member("apart", [link(&endpoint.host_link.name)])
}

fn words_of(endpoint: &EndpointSpec) -> Words {
    Words::new(
        TableFamily::Bridge,
        format!("endpoint {} {}", endpoint.container, endpoint.id.short()),
    )
}
