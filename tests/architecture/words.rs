//! Words that may not stand in the source: names that say nothing, and marks of unfinished work.

use crate::source::{Source, is_whole, is_within};

/// Words that say nothing of the thing that they name.
const EMPTY: &[&str] = &["manager", "helper", "util", "info", "data", "controller"];

/// Names that are not ours to choose, and the module in which they may stand: those of
/// netlink-packet-route, nix and the kernel's headers, of tracing, of rfc2308 §2.2.
const FOREIGN: &[(&str, &[&str])] = &[
    (
        "netlink",
        &[
            "Controller",
            "Data",
            "IFLA_INFO_KIND",
            "IFLA_INFO_SLAVE_DATA",
            "InfoBridge",
            "InfoBridgePort",
            "InfoData",
            "InfoKind",
            "InfoPortData",
            "InfoPortKind",
            "InfoVeth",
            "LinkInfo",
            "PortData",
        ],
    ),
    ("kernel/relay", &["Ipv6PacketInfo", "Ipv6RecvPacketInfo"]),
    ("kernel/watch", &["data"]),
    ("trace", &["info", "info_span"]),
    ("resolver", &["NoData"]),
];

/// Marks of unfinished work, in code and comments alike.
const LATER: &[&str] = &["todo", "fixme", "hack", "for now"];

/// What finished code does not call.
const UNFINISHED: &[&str] = &[
    "unimplemented!",
    "dbg!",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    ".unwrap()",
];

/// Identifiers of which a part says nothing.
pub(crate) fn empty_names(sources: &[Source]) -> Vec<String> {
    sources.iter().flat_map(empty_names_of).collect()
}

fn empty_names_of(source: &Source) -> Vec<String> {
    let module = source.module();
    let foreign = |name: &str| {
        let here = FOREIGN.iter().filter(|(room, _)| is_within(&module, room));
        here.into_iter().any(|(_, foreign)| foreign.contains(&name))
    };
    let empty = source.identifiers().into_iter().filter(|word| {
        parts(word.name).iter().any(|part| is_empty_word(part)) && !foreign(word.name)
    });
    empty
        .map(|word| {
            let complaint = format!(
                "`{}` says nothing; if the name is not ours to choose, add it to FOREIGN in \
                 tests/architecture/words.rs",
                word.name
            );
            source.at(word.line, &complaint)
        })
        .collect()
}

fn is_empty_word(word: &str) -> bool {
    EMPTY.contains(&word)
        || word
            .strip_suffix('s')
            .is_some_and(|word| EMPTY.contains(&word))
}

/// The parts of a name in snake case or camel case, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && after_lower) {
            parts.push(String::new());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
        if let Some(last) = parts.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
    }
    parts
}

/// Marks of unfinished work.
pub(crate) fn leftovers(sources: &[Source]) -> Vec<String> {
    let marks = sources.iter().flat_map(marks_of);
    marks
        .chain(sources.iter().flat_map(unfinished_calls))
        .collect()
}

fn marks_of(source: &Source) -> Vec<String> {
    let numbered = source.text.lines().zip(1..);
    numbered
        .filter_map(|(line, number)| {
            let line = line.to_lowercase();
            let stands = |mark: &&&str| {
                line.match_indices(**mark)
                    .any(|(start, _)| is_whole(&line, start, mark))
            };
            let mark = LATER.iter().find(stands)?;
            Some(source.at(
                number,
                &format!("`{mark}`: what is left to do is not shipped"),
            ))
        })
        .collect()
}

fn unfinished_calls(source: &Source) -> Vec<String> {
    let calls = UNFINISHED.iter().flat_map(|call| {
        source
            .places_of(call)
            .into_iter()
            .map(move |start| (call, start))
    });
    calls
        .map(|(call, start)| {
            source.at(source.line_at(start), &format!("`{call}` outside of tests"))
        })
        .collect()
}

/// Files that do not open with what they are for.
pub(crate) fn without_heading(sources: &[Source]) -> Vec<String> {
    let silent = sources
        .iter()
        .filter(|source| !source.text.starts_with("//! "));
    silent
        .map(|source| source.at(1, "it does not open with `//!`"))
        .collect()
}
