//! The ports that are given out automatically: the kernel's own range without the reserved ones.

use std::fs::File;
use std::io::Read;

use crate::addr::{Port, PortRange};

/// Where the kernel does not say: 49153 to 65535, as Docker has it.
const FALLBACK: (u32, u32) = (49153, 65535);

/// More than 65,536 ports with commas between them need.
const MAX_BYTES: u64 = 1 << 19;

/// The ports from which automatic ones are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Automatic {
    pub(super) range: PortRange,
    reserved: Vec<PortRange>,
}

impl Automatic {
    /// Those of the namespace of the calling thread.
    pub(super) fn read() -> Self {
        Self::parse(
            &setting("ip_local_port_range"),
            &setting("ip_local_reserved_ports"),
        )
    }

    /// Of the texts of the two settings; what is not a port in them counts as not there.
    pub(super) fn parse(range: &str, reserved: &str) -> Self {
        let mut ends = range.split_whitespace().map(str::parse::<Port>);
        let given = match (ends.next(), ends.next()) {
            (Some(Ok(first)), Some(Ok(last))) => PortRange::new(first, last).ok(),
            _ => None,
        };
        let reserved = reserved.split(|c: char| c == ',' || c.is_whitespace());
        Self {
            range: given.unwrap_or_else(fallback),
            reserved: reserved.filter_map(|text| text.parse().ok()).collect(),
        }
    }

    /// Each of them once, beginning behind `last_given`.
    pub(super) fn after(&self, last_given: Option<Port>) -> impl Iterator<Item = Port> {
        let [first, last] = [self.range.first(), self.range.last()].map(|port| port.get().into());
        let behind = last_given.map_or(first, |port| u32::from(port.get()) + 1);
        let start = if (first..=last).contains(&behind) {
            behind
        } else {
            first
        };
        let numbers = (start..=last).chain(first..start);
        let ports = numbers.filter_map(|number| Port::new(number).ok());
        ports.filter(|port| self.is_free(*port))
    }

    fn is_free(&self, port: Port) -> bool {
        let within = |range: &PortRange| (range.first()..=range.last()).contains(&port);
        !self.reserved.iter().any(within)
    }
}

fn fallback() -> PortRange {
    let [first, last] = [FALLBACK.0, FALLBACK.1].map(|number| Port::new(number).expect("not 0"));
    PortRange::new(first, last).expect("in this order")
}

/// The kernel shows each thread the settings of its own namespace.
fn setting(name: &str) -> String {
    let mut text = String::new();
    let file = File::open(format!("/proc/sys/net/ipv4/{name}"));
    let read = file.and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    read.map_or_else(|_| String::new(), |_| text)
}
