//! What a caller asks for: builders that take values or their text, and are checked as a whole.
//!
//! A builder never fails on the way; whatever is wrong is collected and reported at once by the
//! verb that takes the config, before anything is changed.

mod check;
mod endpoint;
mod endpoint_options;
mod endpoint_request;
mod firewall;
mod keys;
mod mode;
mod network;
mod options;
mod scope;
mod template;

pub(crate) use check::{FamilyRequest, NetworkRequest};
pub use endpoint::EndpointConfig;
pub(crate) use endpoint_request::{EndpointRequest, Recollection, check_default_request};
pub use firewall::Firewall;
pub use mode::{ContainerTerm, NetworkMode, NetworkTerm};
pub use network::{MacPolicy, NetworkConfig};
pub use options::{GatewayMode, NetworkOptions};
pub use scope::{HostsScope, ResolverScope};

use crate::error::Fault;

/// `value` as a `T`, or nothing and one more fault.
pub(crate) fn take<T, V>(value: V, faults: &mut Vec<Fault>) -> Option<T>
where
    V: TryInto<T>,
    V::Error: Into<Fault>,
{
    value
        .try_into()
        .map_err(|error| faults.push(error.into()))
        .ok()
}

/// What was not understood can't be written down, and must not be lost on the way.
#[cfg(feature = "serde")]
fn refuse<S: serde::Serializer>(faults: &[Fault], _: S) -> Result<S::Ok, S::Error> {
    let texts: Vec<String> = faults.iter().map(Fault::to_string).collect();
    Err(serde::ser::Error::custom(texts.join("; ")))
}
