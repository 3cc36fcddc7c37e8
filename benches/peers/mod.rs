//! The servers beside ours, in the same namespace, with the same names: each at an address of its
//! own, port 53. Docker's alone is elsewhere.

mod docker;

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bridgework::Netns;

use crate::docker::Daemon;
use crate::unpacked::{Outcome, peer};

/// A name, and what it stands for.
pub type Name = (String, IpAddr);

pub struct Peer {
    pub label: String,
    pub at: SocketAddr,
    /// Where it is asked.
    pub netns: Netns,
    running: Running,
}

enum Running {
    /// In this process, and not by us.
    Library,
    Thread(Option<JoinHandle<()>>, Arc<AtomicBool>),
    Child(Child),
    /// It has left its parent.
    Daemon(String),
    Docker(Option<Daemon>),
}

fn at(last: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, last], 53))
}

impl Peer {
    fn new(netns: &Netns, label: &str, at: SocketAddr, running: Running) -> Self {
        Self {
            label: label.to_owned(),
            at,
            netns: netns.clone(),
            running,
        }
    }

    pub fn is_ours(&self) -> bool {
        matches!(self.running, Running::Library)
    }

    /// The floor of those in the same namespace.
    pub fn is_echo(&self) -> bool {
        matches!(self.running, Running::Thread(..))
    }
}

/// The library's, which is there where a container is.
pub fn ours(netns: &Netns) -> Peer {
    Peer::new(netns, "ours", at(11), Running::Library)
}

/// One thread, one datagram at a time, and the same bytes back.
pub fn echo(netns: &Netns, label: &str) -> Peer {
    let at = at(12);
    let socket = netns.run(|| UdpSocket::bind(at)).expect("inside");
    let socket = socket.expect("a socket");
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let short = Some(Duration::from_millis(200));
    socket.set_read_timeout(short).expect("a socket");
    let thread = thread::spawn(move || {
        let mut buffer = [0; 1500];
        while !end.load(Ordering::Relaxed) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let _gone = socket.send_to(&buffer[..length], from);
            }
        }
    });
    Peer::new(netns, label, at, Running::Thread(Some(thread), ended))
}

/// All that are installed; what is not is said.
pub fn all(netns: &Netns, folder: &Path, names: &[Name]) -> Vec<Peer> {
    let installed = [dnsmasq(netns, folder, names), unbound(netns, folder, names)];
    let mut found: Vec<Peer> = installed.into_iter().flatten().collect();
    for (place, last) in AARDVARKS {
        match aardvark(netns, (place, last), folder, names) {
            Ok(peer) => found.push(peer),
            Err(why) => println!("NOT MEASURED: aardvark-dns: {why}"),
        }
    }
    match docker::start(folder, names) {
        Ok(peers) => found.extend(peers),
        Err(why) => println!("NOT MEASURED: Docker's server: {why}"),
    }
    found
}

fn dnsmasq(netns: &Netns, folder: &Path, names: &[Name]) -> Option<Peer> {
    let path = program("/usr/sbin/dnsmasq", "dnsmasq-base")?;
    let hosts = folder.join("dnsmasq-hosts");
    let mut text = String::new();
    for (name, address) in names {
        writeln!(text, "{address} {name}").expect("a string");
    }
    fs::write(&hosts, text).expect("written");
    let mut command = Command::new(path);
    command.args(["-k", "-C", "/dev/null", "-R", "-h", "-z", "-x", ""]);
    command.args(["-u", "root", "-g", "root", "-a", "127.0.0.13"]);
    command.arg(format!("--addn-hosts={}", hosts.display()));
    start(netns, ("dnsmasq", at(13)), command)
}

fn unbound(netns: &Netns, folder: &Path, names: &[Name]) -> Option<Peer> {
    let path = program("/usr/sbin/unbound", "unbound")?;
    let mut text = "server:\n interface: 127.0.0.15\n num-threads: 1\n username: \"\"\n chroot: \
                    \"\"\n do-daemonize: no\n pidfile: \"\"\n use-syslog: no\n verbosity: 0\n \
                    local-zone: \".\" static\n"
        .to_owned();
    for (name, address) in names {
        writeln!(text, " local-data: \"{name}. 0 IN A {address}\"").expect("a string");
    }
    text.push_str("remote-control:\n control-enable: no\n");
    let config = folder.join("unbound.conf");
    fs::write(&config, text).expect("written");
    let mut command = Command::new(path);
    command.arg("-d").arg("-c").arg(config);
    start(netns, ("unbound", at(15)), command)
}

/// Debian's of podman 4.3 and the one that is released alone, where they are unpacked, and where each
/// listens. The first may be installed, too.
const AARDVARKS: [(&str, u8); 2] = [
    ("usr/lib/podman/aardvark-dns", 14),
    ("bin/aardvark-dns", 16),
];

/// It answers those that it knows by their addresses alone; the client is the first.
fn aardvark(
    netns: &Netns,
    (place, last): (&str, u8),
    folder: &Path,
    names: &[Name],
) -> Outcome<Peer> {
    let installed = Path::new("/").join(place);
    let path = peer(place).or_else(|why| installed.exists().then_some(installed).ok_or(why))?;
    let folder = folder.join(format!("aardvark-{last}"));
    fs::create_dir_all(&folder)?;
    let mut text = format!("127.0.0.{last}\n{:064} 127.0.0.1  asker\n", 0);
    for (number, (name, address)) in names.iter().enumerate() {
        writeln!(text, "{:064} {address}  {name}", number + 1)?;
    }
    fs::write(folder.join("podman"), text)?;
    let version = Command::new(&path).arg("--version").output()?.stdout;
    let mut command = Command::new(path);
    command.arg("--config").arg(&folder);
    command.args(["-p", "53", "run"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let ended = netns.run(|| command.status())??;
    if !ended.success() {
        return Err(format!("{place}: {ended}").into());
    }
    let pid = fs::read_to_string(folder.join("aardvark.pid"))?;
    let running = Running::Daemon(pid.trim().to_owned());
    let label = String::from_utf8_lossy(&version);
    Ok(Peer::new(netns, label.trim(), at(last), running))
}

fn program(path: &str, package: &str) -> Option<PathBuf> {
    let path = PathBuf::from(path);
    if !path.exists() {
        println!("NOT MEASURED: {}: install {package}", path.display());
        return None;
    }
    Some(path)
}

fn start(netns: &Netns, (label, at): (&str, SocketAddr), mut command: Command) -> Option<Peer> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let child = netns.run(|| command.spawn()).expect("inside");
    let child = match child {
        Ok(child) => child,
        Err(error) => {
            println!("NOT MEASURED: {label}: {error}");
            return None;
        }
    };
    let peer = Peer::new(netns, label, at, Running::Child(child));
    if answers(netns, at) {
        return Some(peer);
    }
    println!("NOT MEASURED: {label}: it does not answer");
    None
}

/// Waits until it says anything.
fn answers(netns: &Netns, at: SocketAddr) -> bool {
    let ask = || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(at)?;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        socket.send(&super::asking::dns::query("nobody", 1).bytes)?;
        socket.recv(&mut [0; 600])
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        match netns.run(ask).expect("inside") {
            Ok(_) => return true,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(_) => {}
        }
    }
    false
}

impl Drop for Peer {
    fn drop(&mut self) {
        match &mut self.running {
            Running::Library => {}
            Running::Docker(daemon) => drop(daemon.take()),
            Running::Thread(thread, ended) => {
                ended.store(true, Ordering::Relaxed);
                let _its_own = thread.take().map(JoinHandle::join);
            }
            Running::Child(child) => {
                let _ended = child.kill().and_then(|()| child.wait());
            }
            Running::Daemon(pid) => {
                let _ended = Command::new("kill").arg(pid).status();
            }
        }
    }
}
