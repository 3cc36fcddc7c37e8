//! What is shown of real networks and containers, which of them are meant, what can't be removed,
//! and what is told of all that happens.

mod events;
mod find;
#[cfg(feature = "serde")]
mod inspect;
mod prune;
mod remove;
mod templates;

use bridgework::snapshot::Snapshot;
use bridgework::{Error, Host, Network};

/// The names of networks, in their order.
fn names(networks: &[Network]) -> Vec<&str> {
    networks.iter().map(|n| n.name().as_str()).collect()
}

/// `act` is refused with just this text, and the host is as it was.
fn refused<T: std::fmt::Debug>(
    host: &Host,
    text: &str,
    act: impl FnOnce() -> Result<T, Error>,
) -> Error {
    let state = || -> (Snapshot, Vec<String>) {
        let networks = host.networks();
        let shown = networks
            .iter()
            .map(|network| format!("{:?}", network.inspect()));
        (host.snapshot().unwrap(), shown.collect())
    };
    let before = state();
    let error = act().expect_err(text);
    assert_eq!(error.to_string(), text);
    assert!(error.left_behind().is_empty(), "{error}");
    assert_eq!(state(), before, "{error}");
    error
}
