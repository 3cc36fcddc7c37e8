//! Programs as whoever runs containers calls them: where they are, and how long one call took.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use bridgework::Netns;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::subject::Outcome;

/// One of ours, beside the benches; how to get it, where it is not there.
pub fn example(name: &str) -> Outcome<PathBuf> {
    let bench = env::current_exe()?;
    let target = bench.parent().and_then(Path::parent);
    let built = target
        .ok_or("a bench without a target")?
        .join("examples")
        .join(name);
    if built.exists() {
        return Ok(built);
    }
    let how = format!("cargo build --release --features store --example {name}");
    Err(format!("no {}: {how}", built.display()).into())
}

/// What one call printed, and how long it took.
pub struct Called {
    pub took: Duration,
    pub printed: String,
}

/// Calls of programs on one host, and no longer than is waited for.
pub struct Caller {
    netns: Netns,
    scratch: PathBuf,
    limit: Duration,
}

impl Caller {
    /// What is printed goes to files there: a pipe would be held by those whom a program leaves behind.
    pub fn new(netns: &Netns, scratch: &Path, limit: Duration) -> Self {
        Self {
            netns: netns.clone(),
            scratch: scratch.to_owned(),
            limit,
        }
    }

    /// From the moment that it is begun to its end.
    ///
    /// # Errors
    /// It did not end well, or not within the limit: then it was killed.
    pub fn call(&self, mut command: Command, stdin: &[u8]) -> Outcome<Called> {
        let (out, err) = (self.scratch.join("out"), self.scratch.join("err"));
        command.stdin(Stdio::piped()).process_group(0);
        command
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        let (took, status) = self.netns.run(|| run(&mut command, stdin, self.limit))??;
        let printed = fs::read_to_string(&out)?;
        if took >= self.limit {
            return Err(format!("> {} s", self.limit.as_secs()).into());
        }
        if !status.success() {
            let words = fs::read_to_string(&err)?;
            let name = command.get_program().display();
            return Err(format!("{name}: {status}: {} {}", printed.trim(), words.trim()).into());
        }
        Ok(Called { took, printed })
    }
}

fn run(
    command: &mut Command,
    stdin: &[u8],
    limit: Duration,
) -> std::io::Result<(Duration, std::process::ExitStatus)> {
    let (ended, end) = channel::<()>();
    let (begun, begin) = channel::<i32>();
    let watch = thread::spawn(move || {
        let Ok(group) = begin.recv() else { return };
        if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            let _ended_just_now = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    });
    let start = Instant::now();
    let mut child = command.spawn()?;
    let group = i32::try_from(child.id()).map_err(std::io::Error::other)?;
    let mut pipe = child.stdin.take();
    let _watched = begun.send(group);
    // it may end before it has read all
    let _unread = pipe.as_mut().map(|pipe| pipe.write_all(stdin));
    drop(pipe);
    let status = child.wait()?;
    let took = start.elapsed();
    drop(ended);
    let _no_panic = watch.join();
    Ok((took, status))
}
