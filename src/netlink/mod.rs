//! The kernel's own language: messages built and read here, sent by `socket`.
//!
//! All but `socket` is pure. Building goes through netlink-packet-route, reading through a walk
//! over attributes that takes what it knows and steps over the rest, so that a newer kernel's
//! messages are never an error. No bytes that come in can make it panic.

pub(crate) mod address;
mod attribute;
mod bytes;
pub(crate) mod conntrack;
pub(crate) mod flow_filter;
pub(crate) mod frame;
pub(crate) mod link;
pub(crate) mod nft;
pub(crate) mod notice;
pub(crate) mod policy;
pub(crate) mod read;
pub(crate) mod route;
pub(crate) mod socket;

#[cfg(test)]
mod flow_tests;
#[cfg(test)]
mod tests;

/// Whatever comes in, for a fuzzer.
#[cfg(fuzzing)]
pub(crate) fn fuzz(bytes: &[u8]) {
    let mut bodies = vec![bytes];
    for reply in frame::replies(bytes).flatten() {
        if let frame::Body::Object(_, body) = reply.body {
            bodies.push(body);
        }
    }
    for body in bodies {
        let _ = (read::LINK.read)(body);
        let _ = (read::READINESS.read)(body);
        let _ = (read::OWN_ADDRESS.read)(body);
        let _ = (read::ADDRESS.read)(body);
        let _ = (read::ROUTE.read)(body);
        for kind in 16..40 {
            let _ = notice::change(kind, body);
        }
        let _ = (conntrack::FLOW.read)(body);
        nft::fuzz(body);
        let _ = (conntrack::COUNT.read)(body);
    }
}
