//! `netctl port`.

use super::list::at;
use super::settings;
use crate::failure::{Failure, Outcome};
use crate::host;
use crate::print::say;
use crate::state::State;

/// All ports, each with what leads there, or what leads to one of them.
pub(crate) fn port(state: &State, container: &str, wanted: Option<&str>) -> Outcome {
    let record = state.find(container)?;
    let host = host::open(state)?;
    let ports = settings(&host, &record).ports;
    let Some(wanted) = wanted else {
        for (port, bindings) in &ports {
            let bindings = bindings.iter().flatten();
            bindings.for_each(|binding| say(format_args!("{port} -> {}", at(binding))));
        }
        return Ok(());
    };
    let key = match wanted.contains('/') {
        true => wanted.to_owned(),
        false => format!("{wanted}/tcp"),
    };
    let bindings = ports.get(&key).and_then(Option::as_ref);
    let none = || {
        let words = format!("no public port '{key}' published for {container}");
        Failure::new(words)
    };
    let bindings = bindings.ok_or_else(none)?.iter();
    bindings.for_each(|binding| say(at(binding)));
    Ok(())
}
