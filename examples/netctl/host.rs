//! How netctl opens the crate's host. All that depends on how the host keeps its state is here.

use bridgework::plan::Switch;
use bridgework::{Host, HostConfig};

use crate::failure::Outcome;
use crate::print::say;
use crate::state::State;

/// The host of one command: it answers no names and carries nothing over, since it ends.
pub(crate) fn open(state: &State) -> Outcome<Host> {
    let config = HostConfig::new().state_dir(state.root());
    let config = config.resolver(Switch::Off).relay(Switch::Off);
    Ok(Host::open_with(config.watch(Switch::Off))?)
}

/// The host of the process that answers names, holds ports and carries over.
pub(crate) fn open_serving(state: &State) -> Outcome<Host> {
    Ok(Host::open_with(HostConfig::new().state_dir(state.root()))?)
}

/// Puts right what a crash or somebody else left wrong, and says what it was.
pub(crate) fn recover(state: &State) -> Outcome {
    state.sweep()?;
    let recovered = open(state)?.recover()?;
    if !recovered.is_empty() {
        say(recovered.to_string().trim_end());
    }
    Ok(())
}

/// Does `act`; once more, if what was in its way is what a dead process had left.
pub(crate) fn insist<T>(host: &Host, act: impl Fn() -> bridgework::Result<T>) -> Outcome<T> {
    let failed = match act() {
        Err(error) if error.is_exists() || error.is_in_use() => error,
        done => return Ok(done?),
    };
    let recovered = host.recover()?;
    match recovered.taken_back.is_empty() && recovered.orphans.is_empty() {
        true => Err(failed.into()),
        false => Ok(act()?),
    }
}
