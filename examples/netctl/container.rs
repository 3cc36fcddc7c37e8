//! `netctl run`, `start`, `stop` and `rm`: containers from their beginning to their end.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, SystemTime};

use bridgework::{ContainerId, ContainerTerm, Host, NetworkMode};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::cli::{RmArgs, RunArgs, StopArgs};
use crate::failure::{Failure, NOT_RUN, Outcome, REFUSED, each};
use crate::host;
use crate::launch::{Attendance, bury, end, launch};
use crate::print::say;
use crate::state::{Exposure, Identity, Life, Place, Record, Removal, State};

/// Signals that a container gets which is waited for, in our place.
const FORWARDED: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// Runs a command in a new container; the status is the command's, or says why there is none.
pub(crate) fn run(state: &State, asked: &RunArgs) -> Outcome<u8> {
    let not_run = |failure: Failure| match failure.status {
        REFUSED => failure.with_status(NOT_RUN),
        _ => failure,
    };
    // before any thread begins, which would get them otherwise
    let signals: SigSet = FORWARDED.into_iter().collect();
    signals
        .thread_block()
        .map_err(Failure::of_kernel("block signals"))?;
    let (record, child) = begin(state, asked).map_err(not_run)?;
    if asked.company.detach {
        say(record.id);
        return Ok(0);
    }
    let status = wait(child, signals)?;
    let _lock = match state.lock_container(record.id) {
        Ok(lock) => lock,
        // somebody has removed it meanwhile
        Err(_) => return Ok(exit_code(status)),
    };
    if let Some(mut record) = state.load(record.id)? {
        let host = host::open(state)?;
        record_end(state, &host, &mut record, exit_code(status))?;
    }
    Ok(exit_code(status))
}

/// Whoever saw first that it ended does not know with what status.
fn record_end(state: &State, host: &Host, record: &mut Record, code: u8) -> Outcome {
    match &mut record.life {
        Life::Ended { status, .. } => {
            *status = Some(code.into());
            state.save(record)
        }
        _ => bury(state, host, record, Some(code.into())),
    }
}

fn begin(state: &State, asked: &RunArgs) -> Outcome<(Record, Child)> {
    let host = host::open(state)?;
    let mut record = describe(asked, resolved(state, &host, asked.network.parse()?)?)?;
    let _lock = state.create(&record)?;
    let attendance = match (asked.company.detach, asked.company.interactive) {
        (true, _) => Attendance::Detached,
        (false, true) => Attendance::Interactive,
        (false, false) => Attendance::Attached,
    };
    let launched = launch(state, &host, &mut record, attendance);
    match launched {
        Ok(child) => Ok((record, child)),
        Err(failure) => {
            if record.removal == Removal::AtItsEnd {
                state.forget(record.id)?;
            }
            Err(failure)
        }
    }
}

/// The container that is asked for.
fn describe(asked: &RunArgs, mode: NetworkMode) -> Outcome<Record> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Failure::new(format!("random bytes: {e}")))?;
    let id = ContainerId::from_bytes(bytes);
    let exposure = match asked.publish_all {
        true => Exposure::Published,
        false => Exposure::Documented,
    };
    let place = Place {
        aliases: asked.network_alias.clone(),
        ip: asked.ip,
        ip6: asked.ip6,
        mac: asked.mac_address.clone(),
        links: asked.link.clone(),
        ports: asked.publish.clone(),
        exposed: asked.expose.clone(),
        exposure,
        ..Place::on(&mode.to_string())
    };
    Ok(Record {
        id,
        name: asked.name.clone().unwrap_or_else(|| id.short()).parse()?,
        command: asked.command.clone(),
        created: SystemTime::now().into(),
        mode,
        identity: Identity {
            hostname: asked.hostname.clone(),
            extra_hosts: asked.add_host.clone(),
            dns: asked.dns.clone(),
            dns_search: asked.dns_search.clone(),
        },
        places: vec![place],
        removal: match asked.rm {
            true => Removal::AtItsEnd,
            false => Removal::ByHand,
        },
        life: Life::Created,
    })
}

/// Another container by its id, which stays its own, and a network by its name.
fn resolved(state: &State, host: &Host, mode: NetworkMode) -> Outcome<NetworkMode> {
    match mode {
        NetworkMode::Container(term) => {
            let id = state.find(&term.to_string())?.id;
            Ok(NetworkMode::Container(ContainerTerm::Id(id)))
        }
        NetworkMode::Network(term) => {
            let name = host.network(&term.to_string())?.name().clone();
            Ok(name.as_str().parse()?)
        }
        mode => Ok(mode),
    }
}

/// Until the container's process ends; it gets the signals that are for us.
fn wait(mut child: Child, signals: SigSet) -> Outcome<ExitStatus> {
    let pid = i32::try_from(child.id()).map_err(|e| Failure::new(e.to_string()))?;
    thread::spawn(move || {
        while let Ok(signal) = signals.wait() {
            let _ended_meanwhile = kill(Pid::from_raw(pid), signal);
        }
    });
    child
        .wait()
        .map_err(Failure::during("wait for the container"))
}

/// As shells say it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}

pub(crate) fn start(state: &State, containers: &[String]) -> Outcome {
    let host = host::open(state)?;
    each(containers, |term| {
        let (mut record, _lock) = state.lock_found(term)?;
        if record.running().is_none() {
            bury(state, &host, &mut record, None)?;
            launch(state, &host, &mut record, Attendance::Detached)?;
        }
        say(term);
        Ok(())
    })
}

pub(crate) fn stop(state: &State, asked: &StopArgs) -> Outcome {
    let host = host::open(state)?;
    each(&asked.containers, |term| {
        let (mut record, _lock) = state.lock_found(term)?;
        end(state, &host, &mut record, Duration::from_secs(asked.time))?;
        say(term);
        Ok(())
    })
}

pub(crate) fn remove(state: &State, asked: &RmArgs) -> Outcome {
    let host = host::open(state)?;
    each(&asked.containers, |term| {
        let (mut record, _lock) = state.lock_found(term)?;
        if record.running().is_some() && !asked.force {
            return Err(Failure::new(format!(
                "cannot remove container \"{}\": container is running: stop the container before \
                 removing or force remove",
                record.name
            )));
        }
        end(state, &host, &mut record, Duration::ZERO)?;
        state.forget(record.id)?;
        say(term);
        Ok(())
    })
}
