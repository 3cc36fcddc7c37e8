//! Networks and their containers as a picture, in the language of Mermaid: text that web pages and
//! editors draw. What leads where is drawn; who may pass is not.

use std::fmt::Write;

use ipnet::IpNet;

use super::network::{ContainerEntry, NetworkInspect};
use crate::addr::ContainerId;

impl NetworkInspect {
    /// The network, its containers and the way out, as a Mermaid flowchart.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web").subnet("10.89.0.0/24"))?;
    /// let _at_app = network.connect(&Container::isolated("app")?)?;
    /// println!("{}", network.inspect().to_mermaid());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        to_mermaid([self])
    }
}

/// Several networks as one Mermaid flowchart: a container that is on several stands there once, with a
/// line to each, which says its address there. Networks that lead out have a line to the outside; the
/// networks `host` and `none` have none.
///
/// ```
/// use bridgework::inspect::to_mermaid;
///
/// assert_eq!(to_mermaid([]), "flowchart LR\n");
/// ```
#[must_use]
pub fn to_mermaid<'a>(networks: impl IntoIterator<Item = &'a NetworkInspect>) -> String {
    let mut lines = vec!["flowchart LR".to_owned()];
    let mut drawn: Vec<ContainerId> = Vec::new();
    for network in networks {
        lines.push(node(network));
        for (id, entry) in &network.containers {
            if !drawn.contains(id) {
                drawn.push(*id);
                lines.push(format!("  c{}([\"{}\"])", id.short(), entry.name));
            }
            lines.push(line(id, entry, network));
        }
        if leads_out(network) {
            lines.push(format!(
                "  n{} --- outside((\"outside\"))",
                network.id.short()
            ));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn node(network: &NetworkInspect) -> String {
    let mut label = format!("{}<br/>{}", network.name, escaped(&network.driver));
    for config in network.ipam.config.iter().flatten() {
        if let Some(subnet) = config.subnet {
            // a string is written to without fail
            let _written = write!(label, "<br/>{subnet}");
        }
    }
    if network.internal.is_on() {
        label.push_str("<br/>internal");
    }
    format!("  n{}[\"{label}\"]", network.id.short())
}

fn line(id: &ContainerId, entry: &ContainerEntry, network: &NetworkInspect) -> String {
    let addresses = entry.ipv4.iter().chain(&entry.ipv6);
    let addresses: Vec<String> = addresses.map(|a: &IpNet| a.addr().to_string()).collect();
    let (from, to) = (id.short(), network.id.short());
    match addresses.is_empty() {
        true => format!("  c{from} --- n{to}"),
        false => format!("  c{from} ---|\"{}\"| n{to}", addresses.join("<br/>")),
    }
}

fn leads_out(network: &NetworkInspect) -> bool {
    let has_subnet = network.ipam.config.iter().flatten().next().is_some();
    has_subnet && !network.internal.is_on() && !network.config_only.is_on()
}

/// A driver's name may be anything. docs of mermaid: entity codes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '#' | '<' | '>' | '&' | '`' => {
                let _written = write!(escaped, "#{};", u32::from(letter));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
