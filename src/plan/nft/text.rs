//! Tables as `nft list table` shows them, and elements as lines for a shell. Pure.
//!
//! What is written here is what nftables 1.0.6 prints, so that a table can be held against it
//! letter by letter, and what it takes. Names and comments can't end the quotes that they are in.

mod rule;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{
    Chain, ChainKind, Element, Field, FieldType, Hook, HookPoint, Keys, Ownership, Set, SetValue,
    Table, TableFamily, Value, Verdict,
};
use crate::addr::Family;
use crate::plan::shell::quote;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        writeln!(f, "table {} {} {{", self.family, self.name)?;
        if self.ownership == Ownership::Exclusive {
            writeln!(f, "\tflags owner,persist")?;
            between = "\n";
        }
        if !self.comment.is_empty() {
            writeln!(f, "\tcomment {}", Quoted(self.comment))?;
        }
        for set in &self.sets {
            write!(f, "{between}{set}")?;
            between = "\n";
        }
        for chain in &self.chains {
            f.write_str(between)?;
            write_chain(f, self.family, chain)?;
            between = "\n";
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.value {
            SetValue::None => "set",
            SetValue::Verdict | SetValue::Fields(_) => "map",
        };
        writeln!(f, "\t{kind} {} {{", self.name)?;
        write_types(f, &self.key)?;
        match &self.value {
            SetValue::None => {}
            SetValue::Verdict => write!(f, " : verdict")?,
            SetValue::Fields(types) => write!(f, " : {}", Types(types))?,
        }
        writeln!(f)?;
        if self.keys == Keys::Prefixes {
            writeln!(f, "\t\tflags interval")?;
        }
        writeln!(f, "\t}}")
    }
}

fn write_chain(f: &mut fmt::Formatter<'_>, family: TableFamily, chain: &Chain) -> fmt::Result {
    writeln!(f, "\tchain {} {{", chain.name)?;
    if !chain.comment.is_empty() {
        writeln!(f, "\t\tcomment {}", Quoted(chain.comment))?;
    }
    if let Some(hook) = chain.hook {
        write_hook(f, family, hook)?;
    }
    for rule in &chain.rules {
        writeln!(f, "\t\t{rule}")?;
    }
    writeln!(f, "\t}}")
}

fn write_hook(f: &mut fmt::Formatter<'_>, family: TableFamily, hook: Hook) -> fmt::Result {
    let kind = match hook.kind {
        ChainKind::Filter => "filter",
        ChainKind::Nat => "nat",
    };
    let point = match hook.point {
        HookPoint::Prerouting => "prerouting",
        HookPoint::Input => "input",
        HookPoint::Forward => "forward",
        HookPoint::Output => "output",
        HookPoint::Postrouting => "postrouting",
    };
    write!(f, "\t\ttype {kind} hook {point} priority ")?;
    match named_priority(family, hook) {
        Some((name, 0)) => write!(f, "{name}")?,
        Some((name, more @ 1..)) => write!(f, "{name} + {more}")?,
        Some((name, less)) => write!(f, "{name} - {}", less.unsigned_abs())?,
        None => write!(f, "{}", hook.priority)?,
    }
    writeln!(f, "; policy accept;")
}

/// The name for a priority that is at most ten away, and how far it is; some of them are only
/// known where they are used.
fn named_priority(family: TableFamily, hook: Hook) -> Option<(&'static str, i32)> {
    const NEAR: u32 = 10;
    use HookPoint as At;
    let names: &[(&str, i32, Option<At>)] = match family {
        TableFamily::Inet | TableFamily::Ip => &[
            ("raw", -300, None),
            ("mangle", -150, None),
            ("dstnat", -100, Some(At::Prerouting)),
            ("filter", 0, None),
            ("security", 50, None),
            ("srcnat", 100, Some(At::Postrouting)),
        ],
        TableFamily::Bridge => &[
            ("dstnat", -300, Some(At::Prerouting)),
            ("filter", -200, None),
            ("out", 100, Some(At::Output)),
            ("srcnat", 300, Some(At::Postrouting)),
        ],
    };
    let mut near = names.iter().filter_map(|(name, priority, only)| {
        let away = hook.priority.checked_sub(*priority)?;
        let known = only.is_none_or(|point| point == hook.point);
        (known && away.unsigned_abs() <= NEAR).then_some((*name, away))
    });
    near.next()
}

/// By what they are, or by where they stand if that has no name.
fn write_types(f: &mut fmt::Formatter<'_>, key: &[FieldType]) -> fmt::Result {
    if !key.contains(&FieldType::Target) {
        return write!(f, "\t\ttype {}", Types(key));
    }
    f.write_str("\t\ttypeof ")?;
    joined(
        f,
        key.iter().map(|of_type| match of_type {
            FieldType::LinkName => "iifname",
            FieldType::Ether => "ether saddr",
            other => other.as_str(),
        }),
    )
}

/// Types of a key or value.
struct Types<'a>(&'a [FieldType]);

impl fmt::Display for Types<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, self.0.iter().map(|of_type| of_type.as_str()))
    }
}

fn joined<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    parts: impl Iterator<Item = T>,
) -> fmt::Result {
    for (index, part) in parts.enumerate() {
        let between = if index == 0 { "" } else { " . " };
        write!(f, "{between}{part}")?;
    }
    Ok(())
}

/// A string in quotes. `nft` knows no way to have a quote in it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tame = |c: char| {
            if c == '"' || c.is_control() { '?' } else { c }
        };
        let text: String = self.0.chars().map(tame).collect();
        write!(f, "\"{text}\"")
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(address) => write!(f, "{address}"),
            Self::Ipv6(address) => write!(f, "{address}"),
            Self::Subnet(subnet) if subnet.host_bits() == 0 => write!(f, "{}", subnet.first()),
            Self::Subnet(subnet) => write!(f, "{subnet}"),
            Self::Ether(mac) => write!(f, "{mac}"),
            Self::Protocol(protocol) => write!(f, "{protocol}"),
            Self::Port(port) => write!(f, "{port}"),
            Self::Family(Family::V4) => f.write_str("ipv4"),
            Self::Family(Family::V6) => f.write_str("ipv6"),
            Self::Target(address) => write!(f, "{:#x}", u128::from(*address)),
            // a star at the end would stand for whatever comes there
            Self::Link(name) => match name.as_str().strip_suffix('*') {
                Some(begin) => write!(f, "{}", Quoted(&format!("{begin}\\*"))),
                None => write!(f, "{}", Quoted(name.as_str())),
            },
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}

/// The line for a shell that adds it.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&line("add", self, Item(self)))
    }
}

impl Element {
    /// The line for a shell that deletes it.
    #[must_use]
    pub fn to_delete(&self) -> String {
        line("delete", self, Key(self))
    }

    /// The line for a shell that fails if it is not there.
    pub(crate) fn to_get(&self) -> String {
        line("get", self, Key(self))
    }
}

fn line(verb: &str, element: &Element, item: impl fmt::Display) -> String {
    let words = format!("{verb} element {} {{ {item} }}", Place(element));
    format!("nft {}", quote(words))
}

/// Where an element is.
struct Place<'a>(&'a Element);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.0.family, self.0.table, self.0.set)
    }
}

/// The key of an element.
struct Key<'a>(&'a Element);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        joined(f, self.0.key.iter())
    }
}

/// An element as it stands among others.
struct Item<'a>(&'a Element);

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Key(self.0))?;
        if !self.0.comment.is_empty() {
            write!(f, " comment {}", Quoted(&self.0.comment))?;
        }
        match &self.0.value {
            Value::None => Ok(()),
            Value::Verdict(verdict) => write!(f, " : {verdict}"),
            Value::Fields(fields) => {
                f.write_str(" : ")?;
                joined(f, fields.iter())
            }
        }
    }
}
