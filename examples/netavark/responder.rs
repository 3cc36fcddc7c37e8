//! Who answers names while no verb runs: one process in the background for all networks of a state
//! directory. It ends by itself when nobody is left to ask.
//!
//! Whoever has changed something tells it so by its socket, and is told when names are as they are to
//! be. It has a lock as long as it lives, and the socket is gone before it says that it ends.
//!
//! It is to outlive the service that has called for it, whose end is the end of all that is in its control
//! group: where systemd has booted the machine, it is in a scope of its own.
//!
//! One that is stopped and does not die is waited for: 10 s by each verb, and by a `setup` 20 s until that
//! fails.

use std::env;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{self, Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bridgework::{Host, ResolverScope, Service};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::SigSet;
use nix::unistd::setsid;

use crate::failure::{Failure, Outcome};
use crate::host::{open_answering, state_dir};

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_millis(1);
/// What it says when all is as it is to be.
const DONE: &str = "done";

fn socket(state: &Path) -> PathBuf {
    state_dir(state).join("names.socket")
}

/// Of which of systemd's managers a scope is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Services {
    OfSystem,
    OfUser,
}

/// There where systemd has booted the machine (sd_booted(3)).
const BOOTED: &str = "/run/systemd/system";

/// As [`ensure`], where there is anybody who asks; else whoever answers is told that there is not.
pub(crate) fn ensure_needed((state, services): (&Path, Services), host: &Host) -> Outcome {
    match is_needed(host) {
        true => ensure((state, services)),
        false => tell(state),
    }
}

/// Until names are answered as they are to be, by a process that is begun if there is none.
pub(crate) fn ensure((state, services): (&Path, Services)) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    let mut services = Some(services);
    let mut begun = None;
    loop {
        if let Some(answer) = ask(state) {
            return understand(&answer);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(
                "names are not answered: the process does not begin",
            ));
        }
        match &mut begun {
            None => begun = Some(begin(state, services)?),
            Some(child) => {
                let ended = child.try_wait();
                let ended = ended.map_err(Failure::during("wait for who answers names"))?;
                // another one was quicker, and may have ended since; or there is no scope to be had
                if ended.is_some_and(|status| !status.success()) {
                    services = None;
                }
                if ended.is_some() {
                    begun = None;
                }
            }
        }
        thread::sleep(BETWEEN_TRIES);
    }
}

/// The process, if there is one, takes account of what was changed.
pub(crate) fn tell(state: &Path) -> Outcome {
    ask(state).map_or(Ok(()), |answer| understand(&answer))
}

/// What it says; `None` if there is nobody.
fn ask(state: &Path) -> Option<String> {
    let mut stream = UnixStream::connect(socket(state)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

fn understand(answer: &str) -> Outcome {
    match answer {
        DONE => Ok(()),
        words => Err(Failure::new(words)),
    }
}

/// What begins a program in a scope, if there can be one.
fn scope(services: Services) -> Option<Command> {
    // `/proc/self/exe` is systemd-run itself by then
    let program = env::current_exe().ok()?;
    let path = env::var_os("PATH").filter(|_| Path::new(BOOTED).exists())?;
    let mut places = env::split_paths(&path).map(|folder| folder.join("systemd-run"));
    let mut command = Command::new(places.find(|place| place.is_file())?);
    command.args(["-q", "--scope"]);
    if services == Services::OfUser {
        command.arg("--user");
    }
    command.arg(program);
    Some(command)
}

fn begin(state: &Path, services: Option<Services>) -> Outcome<std::process::Child> {
    let scoped = services.and_then(scope);
    let mut command = scoped.unwrap_or_else(|| Command::new("/proc/self/exe"));
    // it begins elsewhere
    let state = path::absolute(state).map_err(Failure::during(state.display()))?;
    command.arg("--config").arg(state).arg("answer-names");
    command.current_dir("/").stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
        .spawn()
        .map_err(Failure::during("begin who answers names"))
}

/// The process itself. If there is one already, it ends at once.
pub(crate) fn run(state: &Path) -> Outcome {
    let _is_leader_already = setsid();
    let path = state_dir(state).join("names.lock");
    let lock = File::options().create(true).append(true).open(&path);
    let lock = lock.map_err(Failure::during(path.display()))?;
    let Ok(_lock) = Flock::lock(lock, FlockArg::LockExclusiveNonblock) else {
        return Ok(());
    };
    // whoever began it may have blocked those that end it
    let _as_they_are = SigSet::empty().thread_set_mask();
    let host = open_answering(state)?;
    let service = host.serve()?;
    let path = socket(state);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Failure::during(path.display())(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(Failure::during(path.display()))?;
    for stream in listener.incoming().flatten() {
        if !answer(stream, (&host, &service), &path) {
            break;
        }
    }
    Ok(())
}

/// Whether there is anybody to ask.
fn is_needed(host: &Host) -> bool {
    let networks = host.networks();
    networks
        .iter()
        .any(|n| n.spec().resolver == ResolverScope::GatewayAlone)
}

/// Serves what there is now, and says so. Returns whether to go on.
fn answer(mut stream: UnixStream, (host, service): (&Host, &Service), path: &Path) -> bool {
    let words = match service.look() {
        Ok(()) => DONE.to_owned(),
        Err(error) => Failure::from(error).to_string(),
    };
    let goes_on = is_needed(host);
    if !goes_on {
        let _gone_already = fs::remove_file(path);
    }
    let _asker_is_gone = stream.write_all(words.as_bytes());
    goes_on
}
