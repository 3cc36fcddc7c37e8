//! One step of a plan that does not hold any more, and the words for it.

use std::fmt;

use crate::addr::LinkName;
use crate::plan::{ConfScope, Route, Step};

/// Something of a host's side that is not as it was made. It prints as what is wrong, and the remedy
/// behind it.
///
/// ```
/// use bridgework::plan::{Link, Side, Step};
/// use bridgework::{Deviation, DeviationCause, LinkIndex};
///
/// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
/// let deviation = Deviation {
///     step: Step::SetUp { link },
///     cause: DeviationCause::Altered,
/// };
/// assert_eq!(deviation.to_string(), "br0 is down: ip link set dev br0 up");
/// assert!(deviation.is_ours()); // so that the step puts it right
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// What puts it right. Of a link that is there it is the change that the link needs.
    pub step: Step,
    /// What has become of it.
    pub cause: DeviationCause,
}

/// What has become of something that was made.
///
/// ```
/// use bridgework::plan::{Link, Side, Step};
/// use bridgework::{Deviation, DeviationCause, LinkIndex};
///
/// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
/// let cause = DeviationCause::Occupied { name: "br0".to_owned(), index: 9 };
/// let deviation = Deviation { step: Step::SetUp { link }, cause };
/// assert!(!deviation.is_ours()); // it is left alone
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviationCause {
    /// It is not there.
    Missing,
    /// It is there, and not as it was made.
    Altered,
    /// It has gone with the link that it was of.
    Fallen,
    /// A link that is not ours has the name or the number, and is left alone.
    Occupied {
        /// That link's name.
        name: String,
        /// Its number.
        index: u32,
    },
}

impl Deviation {
    pub(super) fn new(step: Step, cause: DeviationCause) -> Self {
        Self { step, cause }
    }

    /// Whether performing the step puts it right: not where something of somebody else's is in its
    /// place.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        !matches!(self.cause, DeviationCause::Occupied { .. })
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, cause } = self;
        let link = name(step).map_or("", LinkName::as_str);
        match cause {
            DeviationCause::Occupied { name, index } => {
                let name = name.escape_debug();
                return write!(
                    f,
                    "{link} can't be as it was, since {name} (number {index}) of somebody else's has its \
                     name or number: rename or remove that, and call Host::repair"
                );
            }
            DeviationCause::Fallen => write!(f, "what {link} had is gone with it")?,
            DeviationCause::Missing | DeviationCause::Altered => subject(f, step, link)?,
        }
        match step {
            // the container's end goes with the host's, and all that it had
            Step::AddVeth(_) => f.write_str(": call Host::repair"),
            step => write!(f, ": {step}"),
        }
    }
}

/// Of the link that a step is about, or that it sets something of.
fn name(step: &Step) -> Option<&LinkName> {
    match step {
        Step::SetSysctl { key, .. } => match key.scope() {
            ConfScope::Link(name) => Some(name),
            ConfScope::All | ConfScope::Default => None,
        },
        step => step.link().map(|link| &link.name),
    }
}

fn subject(f: &mut fmt::Formatter<'_>, step: &Step, link: &str) -> fmt::Result {
    match step {
        Step::AddBridge { .. } => write!(f, "the bridge {link} is gone"),
        Step::AddVeth(veth) => {
            let peer = &veth.peer.name;
            write!(f, "{link} is gone, and {peer} at its other end with it")
        }
        Step::SetName { found, .. } => write!(f, "{link} is called {}", found.escape_debug()),
        Step::SetAlias { .. } => write!(f, "{link} does not say whose it is"),
        Step::SetMtu { .. } => write!(f, "{link} has another MTU"),
        Step::Announce { .. } => write!(f, "{link} has another hardware address"),
        Step::SetMaster { master: None, .. } => write!(f, "{link} is a port of another link"),
        Step::SetMaster {
            master: Some(master),
            ..
        } => write!(f, "{link} is no port of {}", master.name),
        Step::SetUp { .. } => write!(f, "{link} is down"),
        Step::AddAddress { address, .. } => write!(f, "{link} does not have {address}"),
        Step::AddSubnetRoute { address, .. } => {
            write!(f, "no route leads to {} by {link}", address.trunc())
        }
        Step::AddRoute(Route { destination, .. }) => {
            write!(f, "no route of ours leads to {destination} by {link}")
        }
        Step::AddProhibition(_) => f.write_str("a route that prohibits is missing"),
        _ => write!(f, "{link} is not as it was made"),
    }
}
