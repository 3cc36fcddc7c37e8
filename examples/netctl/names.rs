//! Who answers the containers' questions while no command runs: one process in the background, which
//! ends by itself when nobody is left to ask.

use std::fs::File;
use std::net::UdpSocket;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::sys::signal::SigSet;
use nix::unistd::setsid;

use crate::failure::{Failure, Outcome};
use crate::launch::{again, bury_the_dead};
use crate::process::Process;
use crate::state::{Lock, Record, State, replace};
use crate::wires::RESOLVER;

/// How often the server looks whether containers have ended.
const ROUND: Duration = Duration::from_millis(500);
/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long whoever looks for a server may take, on a busy machine, too.
const LOOK: Duration = Duration::from_millis(500);
/// How long one question waits.
const QUESTION: Duration = Duration::from_millis(50);

/// Begins the server if there is none and somebody needs one.
pub(crate) fn serve(state: &State) -> Outcome {
    // a server that ends holds it until nobody can take it for one that stays
    let _lock = state.lock()?;
    let needed = state.all()?;
    let needed = needed
        .iter()
        .any(|r| r.needs_server() && r.running().is_some());
    if !needed || state.try_lock_server()?.is_none() {
        return Ok(());
    }
    let path = state.root().join("server.log");
    let mut options = File::options();
    let log = options.create(true).append(true).mode(0o600).open(&path);
    let log = log.map_err(Failure::during(path.display()))?;
    let both = log.try_clone().map_err(Failure::during(path.display()))?;
    let mut command = again(state);
    command.arg("dns-server").current_dir("/");
    command.stdin(Stdio::null()).stdout(log).stderr(both);
    let mut server = command
        .spawn()
        .map_err(Failure::during("begin the server"))?;
    await_server(state, &mut server)
}

/// Until it has its lock: the next command would begin a second one, to no harm.
fn await_server(state: &State, server: &mut std::process::Child) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    while state.try_lock_server()?.is_some() {
        let ended = server.try_wait();
        if let Some(status) = ended.map_err(Failure::during("wait for the server"))? {
            return Err(Failure::new(format!("the name server has ended: {status}")));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new("the name server does not begin"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Whoever only looks whether there is a server has its lock for a moment, too.
fn lock_server(state: &State) -> Outcome<Option<Lock>> {
    let deadline = Instant::now() + LOOK;
    loop {
        let lock = state.try_lock_server()?;
        if lock.is_some() || Instant::now() >= deadline {
            return Ok(lock);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The server itself.
pub(crate) fn server(state: &State) -> Outcome {
    setsid().map_err(Failure::of_kernel("begin a session"))?;
    // whoever began it may have blocked those that end it
    let none = SigSet::empty().thread_set_mask();
    none.map_err(Failure::of_kernel("unblock signals"))?;
    let Some(lock) = lock_server(state)? else {
        return Ok(());
    };
    let process = Process::of_pid(std::process::id());
    replace(&state.root().join("server.json"), &process)?;
    let host = crate::host::open_serving(state)?;
    let serving = host.serve()?;
    loop {
        thread::sleep(ROUND);
        if let Err(failure) = bury_the_dead(state) {
            eprintln!("netctl: {failure}");
        }
        let all = state.lock()?;
        let records = state.all()?;
        if !records.iter().any(|r| r.running().is_some()) {
            drop((serving, host));
            let _none = std::fs::remove_file(state.root().join("server.json"));
            drop((lock, all));
            return Ok(());
        }
    }
}

/// Waits until the container's questions are answered: a command that begins earlier would be told
/// that nobody is there.
pub(crate) fn await_answer(record: &Record, process: Process) -> Outcome {
    if !record.has_names() {
        return Ok(());
    }
    let pid = u32::try_from(process.pid).map_err(|e| Failure::new(e.to_string()))?;
    let answered = Netns::of_pid(pid)?.run(ask)?;
    if !answered.map_err(Failure::during("ask the name server"))? {
        eprintln!("netctl: the container's questions for names are not answered");
    }
    Ok(())
}

/// Whether anybody answers within a while, whatever they say.
fn ask() -> std::io::Result<bool> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(QUESTION))?;
    socket.connect((RESOLVER, 53))?;
    // rfc1035 §4.1: one question, for the addresses of `localhost`
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9];
    question.extend(b"localhost");
    question.extend([0, 0, 1, 0, 1]);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if socket.send(&question).is_ok() && socket.recv(&mut [0; 512]).is_ok() {
            return Ok(true);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Ok(false)
}
