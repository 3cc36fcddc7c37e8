//! How lists stand in the words of a fault.

use std::path::PathBuf;

use super::obstacle::Obstacle;
use crate::addr::{ContainerName, EndpointId, NetworkName, Subnet};

pub(super) fn join<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(T::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn first_few(obstacles: &[Obstacle]) -> String {
    const SHOWN: usize = 8;
    let shown = join(&obstacles[..obstacles.len().min(SHOWN)]);
    match (obstacles.len(), obstacles.len().saturating_sub(SHOWN)) {
        (0, _) => String::new(),
        (_, 0) => format!("; in the way: {shown}"),
        (_, more) => format!("; in the way: {shown} and {more} more"),
    }
}

pub(super) fn no_parent(subnets: &[Subnet], what: &str) -> String {
    match subnets {
        [] => format!("no subnet is given to contain {what}"),
        subnets => format!("parent subnet {} doesn't contain {what}", join(subnets)),
    }
}

pub(super) fn in_namespace(namespace: &Option<String>) -> String {
    namespace
        .as_deref()
        .map(|name| format!(" in the namespace of {name}"))
        .unwrap_or_default()
}

/// Where a container's namespace was looked for, and how it is found there another time.
pub(super) fn tried(place: &Option<PathBuf>) -> String {
    let what = match place {
        Some(path) => format!(" at {}", path.display()),
        None => ": no file stands for it that others know of".to_owned(),
    };
    format!("{what}; pin it before it is connected or kept, where it has no process that lives on")
}

pub(super) fn active(endpoints: &[(ContainerName, EndpointId)]) -> String {
    let each =
        |(name, id): &(ContainerName, EndpointId)| format!("name:\"{name}\" id:\"{}\"", id.short());
    endpoints.iter().map(each).collect::<Vec<_>>().join(", ")
}

pub(super) fn the_network(name: &NetworkName) -> String {
    match name.as_str() {
        "bridge" => "the default network".to_owned(),
        name => format!("network {name}"),
    }
}
