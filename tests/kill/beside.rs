//! Who comes right after a death, before anybody has recovered: another process that connects another
//! container to the same network. The dead keep nobody waiting, and have nothing that anybody wants.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use bridgework::{EndpointConfig, Error, Host, Network, NetworkConfig};

use crate::world::{NEXT, Place};

/// Nobody waits for so long whom a dead one is in the way of.
const PATIENCE: Duration = Duration::from_secs(5);
/// How it is said that somebody has.
pub const SLOW: &str = "too slow: ";

/// How it went with all who came.
#[derive(Debug, Default)]
pub struct Beside {
    came: usize,
    longest_open: Duration,
    longest_verb: Duration,
    /// Why they did not get what they wanted, and how often.
    refused: BTreeMap<String, usize>,
}

impl Beside {
    /// Another one connects [`NEXT`], to a network that it makes if it is not there, and goes again.
    /// Says why if it did not get what it wanted.
    pub fn come(
        &mut self,
        place: &Place,
        network: NetworkConfig,
        wanted: EndpointConfig,
    ) -> Option<String> {
        let begun = Instant::now();
        let host = place.open();
        let opened = begun.elapsed();
        let connected = connect(&host, place, network, wanted);
        let took = begun.elapsed() - opened;
        self.came += 1;
        self.longest_open = self.longest_open.max(opened);
        self.longest_verb = self.longest_verb.max(took);
        assert!(opened + took < PATIENCE, "{SLOW}{opened:?} and {took:?}");
        match connected {
            Ok((network, has_made)) => {
                network.disconnect(NEXT).expect("disconnected");
                if has_made {
                    network.remove().expect("removed");
                }
                None
            }
            Err(error) => {
                let why = error.to_string();
                *self.refused.entry(why.clone()).or_default() += 1;
                Some(why)
            }
        }
    }
}

/// To which network, and whether that was made for it.
fn connect(
    host: &Host,
    place: &Place,
    network: NetworkConfig,
    wanted: EndpointConfig,
) -> Result<(Network, bool), Error> {
    let next = place.container(NEXT);
    let found = host.network(network.name());
    let has_made = found.is_err();
    let network = match found {
        Err(error) if error.is_not_found() => {
            let made = host.create_network(network)?;
            made.persist()?;
            made
        }
        found => found?,
    };
    network.connect_with(&next, wanted)?.persist()?;
    Ok((network, has_made))
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} came right after: opened within {:.1?}, connected within {:.1?}, refused {:#?}",
            self.came, self.longest_open, self.longest_verb, self.refused
        )
    }
}
