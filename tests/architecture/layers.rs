//! Who stands above whom. A module uses only modules that stand before it in the list, or its own.

use crate::source::{Source, is_within};

/// What a module is for, from the values that all stand on to the handles that users hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Values,
    Requests,
    Decisions,
    Effects,
    Handles,
}

/// Every module of the library in the order of use. A part of a module may have its own place, as
/// `netlink/socket` has: the messages are decisions, the socket is an effect.
const ORDER: &[(&[&str], Layer)] = &[
    (&["errno"], Layer::Values),
    (&["addr"], Layer::Values),
    (&["plan"], Layer::Values),
    (&["error"], Layer::Requests),
    (&["config"], Layer::Requests),
    (&["spec"], Layer::Requests),
    (&["event"], Layer::Requests),
    (&["snapshot"], Layer::Requests),
    (&["trace"], Layer::Requests),
    (&["record"], Layer::Requests),
    (&["ipam"], Layer::Decisions),
    (&["firewall"], Layer::Decisions),
    (&["driver"], Layer::Decisions),
    (&["audit"], Layer::Decisions),
    (&["resolver"], Layer::Decisions),
    (&["inspect"], Layer::Decisions),
    (&["netlink"], Layer::Decisions),
    (&["store"], Layer::Decisions),
    (&["netlink/socket"], Layer::Effects),
    (&["kernel"], Layer::Effects),
    (&["sandbox"], Layer::Effects),
    (&["store/sqlite"], Layer::Effects),
    (&["resolver/server"], Layer::Effects),
    (&["events"], Layer::Handles),
    (&["container"], Layer::Handles),
    (&["device"], Layer::Handles),
    (&["network"], Layer::Handles),
    (&["host"], Layer::Handles),
    (&["guide"], Layer::Handles),
    (&["lib"], Layer::Handles),
];

/// The place of `module` in the order: that of the longest entry that it is within.
fn place(module: &str) -> Option<usize> {
    let modules = ORDER
        .iter()
        .enumerate()
        .flat_map(|(place, (modules, _))| modules.iter().map(move |entry| (place, entry)));
    modules
        .filter(|(_, entry)| is_within(module, entry))
        .max_by_key(|(_, entry)| entry.len())
        .map(|(place, _)| place)
}

/// The layer of a file; `None` if it has no place yet.
pub(crate) fn layer_of(source: &Source) -> Option<Layer> {
    Some(ORDER[place(&source.module())?].1)
}

/// Files that have no place in the order.
pub(crate) fn unplaced(sources: &[Source]) -> Vec<String> {
    const HOW: &str = "it has no layer; add its module to ORDER in tests/architecture/layers.rs, \
                       after all that it uses and before all that use it";
    let lost = sources.iter().filter(|source| layer_of(source).is_none());
    lost.map(|source| source.at(1, HOW)).collect()
}

/// Paths that lead from a module to one that stands after it.
pub(crate) fn upward_arrows(sources: &[Source]) -> Vec<String> {
    let (front, rooms): (Vec<&Source>, _) =
        sources.iter().partition(|source| source.path == "lib.rs");
    let shown: Vec<Vec<String>> = front.into_iter().flat_map(re_exports).collect();
    rooms
        .into_iter()
        .flat_map(|source| arrows_of(source, &shown))
        .collect()
}

/// What a file shows of its rooms, as paths from the crate's root.
pub(crate) fn re_exports(source: &Source) -> Vec<Vec<String>> {
    let module = source.module();
    let own: Vec<String> = match module.as_str() {
        "lib" => vec![],
        module => module.split('/').map(str::to_owned).collect(),
    };
    let mut shown = Vec::new();
    for start in source.places_of("pub use") {
        let tree = source.code[start + "pub use".len()..].trim_start();
        match tree.strip_prefix("crate::") {
            Some(tree) => branch(tree, &[], &mut shown),
            None => branch(tree, &own, &mut shown),
        };
    }
    shown
}

fn arrows_of(source: &Source, shown: &[Vec<String>]) -> Vec<String> {
    let Some(own) = place(&source.module()) else {
        return vec![];
    };
    let judge = |(line, path): (usize, Vec<String>)| {
        let name = path.join("::");
        let home = shown.iter().find(|shown| shown.last() == path.first());
        match place(&home.unwrap_or(&path).join("/")) {
            Some(other) if other <= own => None,
            Some(other) => {
                let modules = |place: usize| ORDER[place].0.join(" and ");
                let (own, other) = (modules(own), modules(other));
                let complaint = format!("{own} uses crate::{name}, and {other} stands after it");
                Some(source.at(line, &complaint))
            }
            None => {
                let complaint = format!("crate::{name} is not in ORDER; name the module it is in");
                Some(source.at(line, &complaint))
            }
        }
    };
    paths(source).into_iter().filter_map(judge).collect()
}

/// Every path of the code that begins with `crate`, `super` or `self`, as from the crate's root.
fn paths(source: &Source) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let module = source.module();
    let own: Vec<String> = module.split('/').map(str::to_owned).collect();
    let mut read_to = 0;
    for word in source.identifiers() {
        let tail = &source.code[word.start + word.name.len()..];
        if word.start < read_to || !tail.starts_with("::") {
            continue;
        }
        let base = match word.name {
            "crate" => vec![],
            "self" => own.clone(),
            "super" => own[..own.len() - 1].to_vec(),
            _ => continue,
        };
        let mut ends = Vec::new();
        let rest = branch(&tail[2..], &base, &mut ends);
        read_to = source.code.len() - rest.len();
        found.extend(ends.into_iter().map(|path| (word.line, path)));
    }
    found
}

/// Adds all paths of the use-tree that `text` begins with, each after `base`, and returns what
/// follows the tree.
fn branch<'a>(text: &'a str, base: &[String], ends: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            if rest.is_empty() || rest.starts_with('}') {
                return rest.get(1..).unwrap_or("");
            }
            rest = branch(rest, base, ends).trim_start();
            rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        }
    }
    let len = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let mut path = base.to_vec();
    match &text[..len] {
        "" | "self" => {}
        "super" => drop(path.pop()),
        name => path.push(name.to_owned()),
    }
    let rest = &text[len..];
    match rest.strip_prefix("::") {
        Some(tail) if !tail.starts_with(['<', '*']) => branch(tail, &path, ends),
        _ => {
            ends.push(path);
            rest
        }
    }
}
