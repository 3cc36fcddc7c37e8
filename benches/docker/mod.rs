//! Docker's daemon, which lives as long as this is kept, and is asked by its socket as its command line
//! asks it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bridgework::Netns;
use serde_json::{Value, json};

use crate::unpacked::Outcome;

/// What it is among the peers.
pub const DOCKERD: &str = "usr/sbin/dockerd";
/// Makes the namespaces, and starts it there.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/docker/dockerd");
/// `user_namespaces(7)`: the daemon gives files to others than root.
const IDS: &str = "0 0 65536";

pub struct Daemon {
    process: Child,
    /// Closed, it ends.
    stdin: Option<ChildStdin>,
    state: PathBuf,
    limit: Duration,
}

impl Daemon {
    /// With an image, `bench`. Its network namespace is one that it makes itself, since it has to belong
    /// to its user namespace. Who gives it the directory takes that away, after it. No answer is waited for
    /// longer than `limit`.
    ///
    /// # Errors
    /// Something that it needs is not there, which is said.
    pub fn start(peers: &Path, state: &Path, limit: Duration) -> Outcome<Self> {
        let mut process = Command::new("bash")
            .arg(SCRIPT)
            .args([peers, state])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(state.join("err"))?)
            .spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().ok_or("no pipe")?;
        let mut daemon = Self {
            process,
            stdin,
            state: state.to_owned(),
            limit,
        };
        let answers = daemon.map_and_await(BufReader::new(stdout));
        answers.map_err(|why| format!("{why} {}", daemon.complaint()))?;
        Ok(daemon)
    }

    fn map_and_await(&mut self, mut stdout: BufReader<ChildStdout>) -> Outcome<()> {
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{}/{map}", self.process.id()), IDS)
                .map_err(|error| format!("ids of a user namespace, which root may map: {error}"))?;
        }
        let stdin = self.stdin.as_mut().ok_or("no pipe")?;
        writeln!(stdin, "mapped")?;
        if stdout.read_line(&mut line)? == 0 {
            return Err("dockerd:".into());
        }
        Ok(())
    }

    fn complaint(&self) -> String {
        let words = fs::read_to_string(self.state.join("err"));
        words.unwrap_or_default().trim().to_owned()
    }

    fn socket(&self) -> PathBuf {
        self.state.join("socket")
    }

    /// From the connect to the end of the answer.
    ///
    /// # Errors
    /// It was refused, or not answered within the limit.
    pub fn ask(&self, request: &str, body: &Value) -> Outcome<Duration> {
        Ok(self.exchange(request, body)?.0)
    }

    /// How long it took, and the answer with its headers.
    fn exchange(&self, request: &str, body: &Value) -> Outcome<(Duration, String)> {
        // whoever closes a socket before all of it is read resets it, and nobody reads what is not wanted
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let mut answer = String::new();
        let start = Instant::now();
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(self.limit))?;
        // of this version a connection ends with the answer
        write!(
            stream,
            "{request} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let read = stream.read_to_string(&mut answer);
        let took = start.elapsed();
        match read {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(format!("> {} s", self.limit.as_secs()).into())
            }
            Err(error) => Err(error.into()),
            Ok(_) if answer.split(' ').nth(1).is_some_and(is_success) => Ok((took, answer)),
            Ok(_) => Err(format!("{request}: {}", last_line(&answer)).into()),
        }
    }

    /// A container that is not started yet, and does nothing.
    pub fn create(&self, name: &str, network: &str, ports: &[u16]) -> Outcome<()> {
        let keys = ports.iter().map(|port| format!("{port}/tcp"));
        let exposed: Value = keys.clone().map(|key| (key, json!({}))).collect();
        let bound: Value = keys
            .zip(ports)
            .map(|(key, port)| (key, json!([{ "HostPort": port.to_string() }])))
            .collect();
        let mut config = idle(network);
        config["ExposedPorts"] = exposed;
        config["HostConfig"]["PortBindings"] = bound;
        self.ask(&format!("POST /containers/create?name={name}"), &config)?;
        Ok(())
    }

    /// As [`create`](Self::create), with more names on its network and without ports.
    pub fn create_named(&self, name: &str, network: &str, aliases: &[String]) -> Outcome<()> {
        let mut config = idle(network);
        let known = json!({ network: { "Aliases": aliases } });
        config["NetworkingConfig"] = json!({ "EndpointsConfig": known });
        self.ask(&format!("POST /containers/create?name={name}"), &config)?;
        Ok(())
    }

    fn look(&self, path: &str) -> Outcome<Value> {
        let (_, answer) = self.exchange(&format!("GET {path}"), &Value::Null)?;
        Ok(serde_json::from_str(last_line(&answer))?)
    }

    pub fn version(&self) -> Outcome<String> {
        let told = self.look("/version")?;
        Ok(told["Version"].as_str().unwrap_or_default().to_owned())
    }

    /// The network namespace of a container that runs.
    pub fn netns(&self, name: &str) -> Outcome<Netns> {
        let inspected = self.look(&format!("/containers/{name}/json"))?;
        let pid = &inspected["State"]["Pid"];
        // that is the daemon's number of it, as the `/proc` has it that the process we started sees
        let proc = format!("/proc/{}/root/proc", self.process.id());
        Ok(Netns::at(format!("{proc}/{pid}/ns/net"))?)
    }

    pub fn start_container(&self, name: &str) -> Outcome<Duration> {
        self.ask(&format!("POST /containers/{name}/start"), &Value::Null)
    }

    /// Killed, too.
    pub fn remove(&self, name: &str) -> Outcome<Duration> {
        self.ask(
            &format!("DELETE /containers/{name}?force=true"),
            &Value::Null,
        )
    }

    /// `verb` is `connect` or `disconnect`.
    pub fn network(&self, verb: &str, network: &str, container: &str) -> Outcome<Duration> {
        let body = json!({ "Container": container });
        self.ask(&format!("POST /networks/{network}/{verb}"), &body)
    }
}

fn idle(network: &str) -> Value {
    json!({
        "Image": "bench", "Cmd": ["/bin/busybox", "sleep", "86400"],
        "HostConfig": { "NetworkMode": network },
    })
}

fn is_success(status: &str) -> bool {
    status.starts_with('2')
}

fn last_line(answer: &str) -> &str {
    answer.trim().lines().last().unwrap_or_default()
}

impl Drop for Daemon {
    /// Its processes are gone with the first of them.
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ended = self.process.wait();
    }
}
