//! The packet filter's steps as lines. What a host has once is made if it is not there, so that the
//! lines of several networks can be typed one after the other.

use std::fmt::{self, Formatter};

use super::policy_line as line;
use crate::addr::Family;
use crate::plan::FlowMatch;
use crate::plan::firewall::{ElementsEdit, HostFirewall, Uplink};
use crate::plan::nft::Table;
use crate::plan::shell::quote;

pub(super) fn raise(f: &mut Formatter<'_>, firewall: &HostFirewall) -> fmt::Result {
    let HostFirewall {
        tables,
        rules,
        uplinks,
        barriers: _,
    } = firewall;
    if let Some(first) = tables.first() {
        writeln!(f, "{} || {{", is_there(first))?;
        writeln!(f, "nft -f - << 'EOF'")?;
        tables.iter().try_for_each(|table| write!(f, "{table}"))?;
        writeln!(f, "EOF")?;
        rules
            .iter()
            .try_for_each(|rule| writeln!(f, "{}", line("add", rule)))?;
        f.write_str("}")?;
    }
    uplinks
        .iter()
        .try_for_each(|uplink| raise_uplink(f, firewall, uplink))
}

/// The elements are there before anything is forwarded.
fn raise_uplink(f: &mut Formatter<'_>, firewall: &HostFirewall, uplink: &Uplink) -> fmt::Result {
    write!(f, "\n{} > /dev/null 2>&1 || {{", uplink.element.to_get())?;
    write!(f, "\n{}", uplink.element)?;
    let barriers = firewall.barriers_of(&uplink.link);
    barriers
        .into_iter()
        .try_for_each(|rule| write!(f, "\n{}", line("add", &rule)))?;
    for family in &uplink.families {
        let setting = family.setting(&uplink.link).to_string();
        let is_on = |key: &str| format!("test \"$(sysctl -n {})\" = 1", quote(key));
        let for_all = match family.family {
            Family::V6 => format!("{} || ", is_on("net.ipv6.conf.all.forwarding")),
            Family::V4 => String::new(),
        };
        let reminder = line("add", &family.reminder(&uplink.link));
        write!(f, "\n{for_all}{} || {{ {reminder}; ", is_on(&setting))?;
        for element in family.passing.iter().chain([&family.raised]) {
            write!(f, "{}; ", element)?;
        }
        write!(f, "sysctl -w {}; }}", quote(format!("{setting}=1")))?;
    }
    f.write_str("\n}")
}

pub(super) fn retire(f: &mut Formatter<'_>, firewall: &HostFirewall) -> fmt::Result {
    let Some(Table { family, name, .. }) = firewall.tables.first() else {
        return f.write_str(":");
    };
    write!(
        f,
        "nft list set {family} {name} bridges | grep -q elements || {{"
    )?;
    for uplink in &firewall.uplinks {
        for family in &uplink.families {
            let setting = format!("{}=0", family.setting(&uplink.link));
            let is_raised = family.raised.to_get();
            let lower = quote(setting);
            let forget = line("del", &family.reminder(&uplink.link));
            write!(
                f,
                "\n{is_raised} > /dev/null 2>&1 && sysctl -w {lower} && {forget}"
            )?;
        }
        let mut barriers = firewall.barriers_of(&uplink.link);
        barriers.try_for_each(|rule| write!(f, "\n{}", line("del", &rule)))?;
    }
    let mut rules = firewall.rules.iter();
    rules.try_for_each(|rule| write!(f, "\n{}", line("del", rule)))?;
    for table in &firewall.tables {
        write!(f, "\nnft delete table {} {}", table.family, table.name)?;
    }
    f.write_str("\n}")
}

pub(super) fn edit(f: &mut Formatter<'_>, edit: &ElementsEdit) -> fmt::Result {
    let superseded = edit.superseded.iter();
    let superseded =
        superseded.map(|element| format!("{} 2> /dev/null || true", element.to_delete()));
    let gone = edit.remove.iter().map(|element| element.to_delete());
    let gone = superseded.chain(gone);
    let come = edit.add.iter().map(|element| element.to_string());
    let lines: Vec<String> = gone.chain(come).collect();
    match lines.as_slice() {
        [] => f.write_str(":"),
        lines => f.write_str(&lines.join("\n")),
    }
}

fn is_there(table: &Table) -> String {
    format!(
        "nft list table {} {} > /dev/null 2>&1",
        table.family, table.name
    )
}

/// `conntrack` fails where there is nothing to forget.
pub(super) fn forget(flows: &[FlowMatch]) -> String {
    let line = |flow: &FlowMatch| {
        let family = match flow.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        };
        let mut words = vec![format!("conntrack -D -f {family}")];
        words.extend(flow.protocol.map(|protocol| format!("-p {protocol}")));
        words.extend(flow.original_source.map(|address| format!("-s {address}")));
        words.extend(
            flow.original_destination
                .map(|address| format!("-d {address}")),
        );
        let port = flow.original_destination_port;
        words.extend(port.map(|port| format!("--orig-port-dst {port}")));
        if let Some((address, port)) = flow.reply_source {
            words.push(format!("--reply-src {address}"));
            words.extend(port.map(|port| format!("--reply-port-src {port}")));
        }
        words.push("|| true".to_owned());
        words.join(" ")
    };
    match flows {
        [] => ":".to_owned(),
        flows => flows.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}
