//! An OCI hook over bridgework: runc, crun or youki runs it as a container begins and ends, and the
//! container is on the network that its annotations name.
//!
//! In `config.json`, the same program twice:
//!
//! ```json
//! "hooks": {
//!   "createRuntime": [{ "path": "/usr/libexec/oci_hook", "args": ["oci_hook", "createRuntime"] }],
//!   "poststop": [{ "path": "/usr/libexec/oci_hook", "args": ["oci_hook", "poststop"] }]
//! },
//! "annotations": { "bridgework.network": "web", "bridgework.publish": "8080:80" }
//! ```
//!
//! A third argument is the directory where records are kept, `/run/bridgework` without it. All hooks of
//! a machine have the same one; networks of another one, and those of `examples/netavark`, are somebody
//! else's, and are left alone.
//!
//! | annotation | what it asks for |
//! |---|---|
//! | `bridgework.network` | the network's name. Without it the hook does nothing |
//! | `bridgework.ip` | addresses, one for each family: `10.98.0.2/24,fd00:98::2/64`. Where the network is not there yet, their prefixes are its subnets |
//! | `bridgework.subnet` | the subnets of a network that is not there yet; its gateways are their first addresses |
//! | `bridgework.internal` | `true`: no way out of a network that is not there yet |
//! | `bridgework.name` | the container's name; its id without it |
//! | `bridgework.aliases` | further names, with commas |
//! | `bridgework.publish` | ports, as `docker run -p` takes them, with commas |
//! | `bridgework.mac`, `bridgework.interface` | the hardware address and the name of the interface |
//!
//! Every other annotation is somebody else's, and passed over; one that begins with `bridgework.` and is
//! none of these is refused. `createRuntime` may be repeated, and so may `poststop`, with the process
//! there or gone. A name is one container's as long as its namespace lives; another one's end is then
//! nothing to it. A network that a hook made goes with its last container; one that was there stays.
//!
//! A hook has no way to hand anything to the container but its interface: whoever wants names in
//! `/etc/hosts` or `/etc/resolv.conf` mounts these files.
//!
//! What can't be done keeps the container from beginning, and is said on stderr. runc shows that; crun says
//! only that a hook has ended with 1, and writes its words into the file that the annotation
//! `run.oci.hooks.stderr` names.

mod attach;
mod life;
mod network;
mod state;
mod wish;

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bridgework::plan::Switch;
use bridgework::store::Sqlite;
use bridgework::{Host, HostConfig};
use nix::fcntl::{Flock, FlockArg};

use state::State;
use wish::Wish;

/// What everything here returns; the words are for whoever started the container.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let phase = arguments.next().unwrap_or_default();
    let records = arguments.next().map(PathBuf::from);
    let records = records.unwrap_or_else(|| PathBuf::from(Sqlite::DIRECTORY));
    match run(&phase.to_string_lossy(), records) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oci_hook: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(phase: &str, records: PathBuf) -> Outcome {
    let state = State::read(io::stdin())?;
    let Some(wish) = Wish::of(&state)? else {
        return Ok(());
    };
    match phase {
        "createRuntime" | "prestart" => {
            let host = open(&records)?;
            let _turn = take_turn(&records)?;
            attach::attach(&host, &state, &wish)
        }
        // where there are no records, nothing was attached
        "poststop" if !records.exists() => Ok(()),
        "poststop" => {
            let host = open(&records)?;
            let _turn = take_turn(&records)?;
            attach::detach(&host, &wish)
        }
        other => Err(format!("unknown phase {other:?}: createRuntime or poststop").into()),
    }
}

/// It answers no names and carries nothing over, since it ends; whoever serves the same records does.
fn open(records: &Path) -> Outcome<Host> {
    let config = HostConfig::new().state_dir(records);
    let config = config.resolver(Switch::Off).relay(Switch::Off);
    Ok(Host::open_with(config.watch(Switch::Off))?)
}

/// One hook after the other, until it is dropped or the process ends.
fn take_turn(records: &Path) -> Outcome<Flock<File>> {
    let path = records.join("hooks.lock");
    let file = File::options().create(true).append(true).open(path)?;
    Ok(Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?)
}
