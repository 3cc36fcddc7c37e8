//! Which tracked connections are meant, when some have to be forgotten.

use std::net::IpAddr;

use crate::addr::{Family, Port, Protocol};

/// Connections that the kernel tracks (conntrack), by what they have in common. Each field that is
/// `Some` narrows it; one that names neither an address nor a port means none at all.
///
/// The original direction is that of the first packet, as it was before any translation. The
/// replies come from where that packet was led to: the container, of a published port.
///
/// ```
/// use bridgework::plan::FlowMatch;
/// use bridgework::{Family, Protocol};
///
/// // what came to port 53 of 192.0.2.1 and was led to a container
/// let to_the_container = FlowMatch {
///     protocol: Some(Protocol::Udp),
///     original_destination: Some([192, 0, 2, 1].into()),
///     original_destination_port: Some("53".parse()?),
///     reply_source: Some(([10, 89, 0, 2].into(), None)),
///     ..FlowMatch::new(Family::V4)
/// };
/// assert!(to_the_container.is_narrow());
/// assert!(!FlowMatch::new(Family::V4).is_narrow());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FlowMatch {
    /// The family of all its addresses.
    pub family: Family,
    /// The transport.
    pub protocol: Option<Protocol>,
    /// Where the first packet was sent to.
    pub original_destination: Option<IpAddr>,
    /// The port that it was sent to.
    pub original_destination_port: Option<Port>,
    /// Who sent it.
    pub original_source: Option<IpAddr>,
    /// Who answers, and from which port.
    pub reply_source: Option<(IpAddr, Option<Port>)>,
}

impl FlowMatch {
    /// Of that family, and not narrowed by anything yet.
    #[must_use]
    pub fn new(family: Family) -> Self {
        Self {
            family,
            protocol: None,
            original_destination: None,
            original_destination_port: None,
            original_source: None,
            reply_source: None,
        }
    }

    /// Whether it names an address or a port. One that does not would mean everybody's connections,
    /// and so means none.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.original_destination.is_some()
            || self.original_destination_port.is_some()
            || self.original_source.is_some()
            || self.reply_source.is_some()
    }
}
