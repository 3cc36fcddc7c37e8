//! Tracked connections that are forgotten, and those that are not, with `conntrack` as the witness.

mod any;
mod moved;

use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};

use bridgework::kernel::Kernel;
use bridgework::plan::FlowMatch;
use bridgework::{Family, Netns, Port, Protocol};

pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

pub fn kernel() -> Kernel {
    Kernel::new(Netns::create().unwrap()).unwrap()
}

pub fn port(number: u16) -> Port {
    Port::new(number.into()).unwrap()
}

/// What the program prints, run inside the namespace with `input`. `None`, loudly, where it is
/// missing; under CI that is a failure.
pub fn type_to(netns: &Netns, command: &str, input: &str) -> Option<String> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap();
    let mut prepared = Command::new(program);
    prepared.args(words).stdin(Stdio::piped());
    prepared.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match netns.run(|| prepared.spawn()).unwrap() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("NOT CHECKED: {command}: {error}: install {program}");
            assert!(std::env::var_os("CI").is_none(), "{program} is missing");
            return None;
        }
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}\n{input}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The connections that the kernel tracks, without what runs, sorted.
pub fn tracked(netns: &Netns) -> Vec<String> {
    let lists = ["conntrack -L -f ipv4", "conntrack -L -f ipv6"];
    let lists = lists.map(|list| type_to(netns, list, "").unwrap_or_default());
    let lines = lists.iter().flat_map(|list| list.lines());
    let mut lines: Vec<String> = lines.map(without_time).collect();
    lines.sort();
    lines
}

fn without_time(line: &str) -> String {
    let stays = |word: &&str| word.contains('=') && !word.starts_with("use=");
    let words: Vec<&str> = line.split_whitespace().collect();
    let tuples = words.iter().copied().filter(stays);
    let named = words.first().copied().into_iter().chain(tuples);
    named.collect::<Vec<_>>().join(" ")
}

/// A connection as `conntrack` makes and shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    pub protocol: Option<Protocol>,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ports: (u16, u16),
    /// Who answers, and from which port.
    pub reply: (IpAddr, u16),
}

impl Made {
    /// The line of a file for `conntrack -R`. Without a protocol, it is an echo of ICMP.
    pub fn line(&self) -> String {
        let Self {
            protocol,
            source,
            destination,
            ports: (from, to),
            reply: (answers, by),
        } = self;
        let Some(protocol) = protocol else {
            let icmp = if source.is_ipv4() { "icmp" } else { "icmpv6" };
            let kind = if source.is_ipv4() { 8 } else { 128 };
            return format!(
                "-I -t 600 -p {icmp} -s {source} -d {destination} -r {answers} -q {source} \
                 --icmp{v}-type {kind} --icmp{v}-code 0 --icmp{v}-id {from}\n",
                v = if source.is_ipv4() { "" } else { "v6" },
            );
        };
        let state = match protocol {
            Protocol::Tcp => " --state ESTABLISHED",
            Protocol::Sctp => " --state ESTABLISHED --orig-vtag 1 --reply-vtag 2",
            Protocol::Udp => "",
        };
        format!(
            "-I -t 600 -p {protocol} -s {source} -d {destination} --sport {from} --dport {to} \
             -r {answers} -q {source} --reply-port-src {by} --reply-port-dst {from}{state}\n"
        )
    }

    /// Whether it is one of those that are meant, as the documentation has it.
    pub fn is_of(&self, meant: &FlowMatch) -> bool {
        let family = Family::of(self.source);
        let to = self.protocol.map(|_| self.ports.1);
        let by = self.protocol.map(|_| self.reply.1);
        meant.is_narrow()
            && meant.family == family
            && (meant.protocol.is_none() || meant.protocol == self.protocol)
            && meant.original_source.is_none_or(|a| a == self.source)
            && meant
                .original_destination
                .is_none_or(|a| a == self.destination)
            && meant
                .original_destination_port
                .is_none_or(|p| Some(p.get()) == to)
            && meant.reply_source.is_none_or(|(address, port)| {
                address == self.reply.0 && port.is_none_or(|p| Some(p.get()) == by)
            })
    }
}

/// Puts connections into the kernel's table. `false` if that can't be done here.
pub fn track(netns: &Netns, made: &[Made]) -> bool {
    let lines: String = made.iter().map(Made::line).collect();
    type_to(netns, "conntrack -R -", &lines).is_some()
}
