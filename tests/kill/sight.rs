//! All that others than ourselves see of a place: links, addresses, routes, rules, tables and settings
//! of its namespaces, its files, and the records that are kept of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use bridgework::Netns;
use bridgework::store::{Sqlite, Store};
use serde_json::Value;

use crate::world::{DB, Place, WEB};

/// What is seen, by where: lines in an order of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight(BTreeMap<String, Vec<String>>);

impl Sight {
    pub fn of(place: &Place) -> Self {
        let mut seen = BTreeMap::new();
        for of in ["host", WEB, DB] {
            for (what, lines) in namespace(&place.netns(of)) {
                seen.insert(format!("{of}: {what}"), lines);
            }
        }
        for path in [WEB, DB].iter().flat_map(|of| place.files(of)) {
            let text = fs::read_to_string(&path).unwrap_or("there is none".to_owned());
            let lines = text.lines().map(str::to_owned).collect();
            seen.insert(path.display().to_string(), lines);
        }
        seen.insert("records".to_owned(), records(place));
        Self(seen)
    }

    /// Looks again and again until it is so: the kernel drops some things in its own time.
    pub fn until(place: &Place, mut is_so: impl FnMut(&Self) -> bool) -> Self {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(2);
        loop {
            let seen = Self::of(place);
            if is_so(&seen) || std::time::Instant::now() > deadline {
                return seen;
            }
        }
    }

    /// Without what comes out otherwise each time.
    pub fn masked(&self) -> Self {
        let masked = self.0.iter().map(|(place, lines)| {
            let mut lines: Vec<_> = lines.iter().map(|line| mask(line)).collect();
            lines.sort();
            (place.clone(), lines)
        });
        Self(masked.collect())
    }

    /// What is here and is not in `before`, and the other way round.
    pub fn difference(&self, before: &Self) -> Difference {
        let mut lines = Vec::new();
        for (place, now) in &self.0 {
            let then = before.0.get(place).map_or(&[][..], Vec::as_slice);
            let new = now.iter().filter(|line| !then.contains(line));
            lines.extend(new.map(|line| format!("+ {place}: {line}")));
            let gone = then.iter().filter(|line| !now.contains(line));
            lines.extend(gone.map(|line| format!("- {place}: {line}")));
        }
        Difference(lines)
    }
}

pub struct Difference(Vec<String>);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |line: &String| line.chars().take(2000).collect::<String>();
        self.0
            .iter()
            .try_for_each(|line| writeln!(f, "{}", shown(line)))
    }
}

const COMMANDS: [&str; 7] = [
    "ip -j -d addr",
    "ip -j -d -4 route show table all",
    "ip -j -d -6 route show table all",
    "ip -j -d -4 rule",
    "ip -j -d -6 rule",
    "nft -j list ruleset",
    "grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding \
     /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/accept_ra",
];
const NEXT: &str = "=====";

fn namespace(netns: &Netns) -> Vec<(String, Vec<String>)> {
    let script: Vec<_> = COMMANDS
        .iter()
        .map(|command| format!("{command}; echo; echo {NEXT}"))
        .collect();
    let script = script.join("\n");
    let run = || Command::new("sh").args(["-euc", &script]).output();
    let output = netns.run(run).expect("inside").expect("a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8(output.stdout).expect("utf-8");
    let texts = COMMANDS.iter().zip(said.split(NEXT));
    texts
        .map(|(command, text)| ((*command).to_owned(), lines(command, text.trim())))
        .collect()
}

fn lines(command: &str, text: &str) -> Vec<String> {
    if !command.contains(" -j ") {
        return text.lines().map(str::to_owned).collect();
    }
    let value: Value = match text {
        "" => Value::Array(Vec::new()),
        text => serde_json::from_str(text).expect("json"),
    };
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove("nftables") {
            Some(Value::Array(items)) => items,
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    };
    let mut lines: Vec<String> = items.into_iter().flat_map(item_lines).collect();
    lines.sort();
    lines
}

/// Sets have a line for each element.
fn item_lines(mut item: Value) -> Vec<String> {
    if item.get("metainfo").is_some() || is_made_by_the_kernel_later(&item) {
        return Vec::new();
    }
    forget_what_runs(&mut item);
    let mut lines = Vec::new();
    for kind in ["set", "map"] {
        let Some(set) = item.get_mut(kind) else {
            continue;
        };
        let name = set["name"].to_string();
        if let Some(Value::Array(elements)) = set.as_object_mut().and_then(|set| set.remove("elem"))
        {
            lines.extend(elements.iter().map(|element| format!("{name}: {element}")));
        }
    }
    lines.push(item.to_string());
    lines
}

/// Table `local` of IPv6 follows the addresses, which are compared, in the kernel's own time.
fn is_made_by_the_kernel_later(item: &Value) -> bool {
    let is_route = item.get("dst").is_some();
    let dst = item["dst"].as_str().unwrap_or_default();
    let is_ipv6 = dst.contains(':');
    is_route && is_ipv6 && item["table"] == "local"
}

fn forget_what_runs(item: &mut Value) {
    match item {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                let runs = name.ends_with("_timer") || name.starts_with("topology_change");
                let is_numbered = ["handle", "link_netnsid"].contains(&name.as_str());
                // whether there is carrier
                let is_state = ["state", "operstate", "qdisc"].contains(&name.as_str());
                // a bridge has that of its ports, and of those that it had
                let is_inherited = name == "tso_max_size";
                !(runs || is_numbered || is_state || is_inherited)
            });
            if let Some(Value::Array(flags)) = fields.get_mut("flags") {
                flags.retain(|flag| flag == "UP");
            }
            fields.values_mut().for_each(forget_what_runs);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_what_runs),
        _ => {}
    }
}

/// Without who wrote them.
fn records(place: &Place) -> Vec<String> {
    let store = Sqlite::open(place.state()).expect("a store");
    let changes = store.changes(None).expect("records");
    let line = |record: &bridgework::record::Record| {
        let value = serde_json::to_value(&record.body).expect("json");
        format!("{:?} {:?} {value}", record.phase, record.tenure)
    };
    let mut lines: Vec<_> = changes
        .records
        .iter()
        .map(|(_, record)| line(record))
        .collect();
    lines.sort();
    lines
}

fn mask(line: &str) -> String {
    let mut masked = String::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '-';
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        masked.push_str(&rest[..start]);
        let length = rest[start..].find(|c| !is_part(c));
        let end = length.map_or(rest.len(), |length| start + length);
        masked.push_str(&mask_word(&rest[start..end]));
        rest = &rest[end..];
    }
    masked.push_str(rest);
    masked
}

fn mask_word(word: &str) -> String {
    if let Some(rest) = word.strip_prefix(':') {
        return format!(":{}", mask_word(rest));
    }
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let is_mac =
        word.split(':').count() == 6 && word.split(':').all(|part| part.len() < 3 && hex(part));
    let is_index = word.len() > 5 && word.chars().all(|c| c.is_ascii_digit());
    let bare = word.strip_prefix("0x").unwrap_or(word);
    let is_id = bare.len() >= 12 && hex(bare);
    let is_derived = ["veth", "br-", "fe80:"]
        .iter()
        .any(|at| word.starts_with(at));
    let is_moment = word.ends_with('Z') || (word.starts_with("20") && word.contains('T'));
    match is_mac || is_index || is_id || is_derived || is_moment {
        true => "*".to_owned(),
        false => word.to_owned(),
    }
}
