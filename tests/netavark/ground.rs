//! A machine of a test's own, containers that are nothing but namespaces, and the program as whoever
//! runs containers calls it.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bridgework::Netns;
use serde_json::Value;

use crate::dns::{self, Message, query};
use crate::lab::machine::{Folder, kept, machine};
use crate::lab::{self, example};

pub use crate::lab::example::Said;

/// A private host, and a directory for state.
pub struct Machine {
    pub netns: Netns,
    pub folder: Folder,
}

impl Machine {
    pub fn new(name: &str) -> Self {
        let (netns, folder) = (machine(), Folder::new("netavark", name));
        Self { netns, folder }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Begins a verb with this on its standard input, with podman's words around it.
    pub fn begin(&self, verb: &[&str], request: &[u8]) -> Child {
        let mut command = Command::new(example::built("netavark"));
        command.arg("--config").arg(self.state());
        command.args([
            "--rootless=false",
            "--aardvark-binary=/nowhere/aardvark-dns",
        ]);
        command.args(verb).env("RUST_LOG", "netavark=warn");
        example::begin(&self.netns, command, request)
    }

    pub fn run(&self, verb: &[&str], request: &[u8]) -> Said {
        finish(self.begin(verb, request))
    }

    pub fn begin_setup(&self, netns: &Netns, request: &Value) -> Child {
        let path = netns.path();
        let verb = ["setup", path.to_str().expect("text")];
        self.begin(&verb, request.to_string().as_bytes())
    }

    pub fn begin_teardown(&self, netns: &Netns, request: &Value) -> Child {
        let path = netns.path();
        let verb = ["teardown", path.to_str().expect("text")];
        self.begin(&verb, request.to_string().as_bytes())
    }

    /// What setup answered.
    pub fn setup(&self, netns: &Netns, request: &Value) -> Value {
        let said = finish(self.begin_setup(netns, request));
        assert_eq!(said.status, 0, "{said:?}");
        serde_json::from_str(&said.out).expect("json")
    }

    /// Why setup did not.
    pub fn refuses(&self, netns: &Netns, request: &Value) -> String {
        let said = finish(self.begin_setup(netns, request));
        assert_eq!(said.status, 1, "{said:?}");
        error_of(&said)
    }

    pub fn teardown(&self, netns: &Netns, request: &Value) {
        let said = finish(self.begin_teardown(netns, request));
        assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    }

    /// The processes that are there for this machine.
    pub fn processes(&self) -> Vec<i32> {
        let entries = fs::read_dir("/proc").expect("proc").flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mark = self.folder.display().to_string();
        let is_ours = |pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&mark)
        };
        pids.filter(is_ours).collect()
    }

    /// No link, rule, process or lease, and of files the records alone, in which nothing stands.
    pub fn is_clean(&self) {
        lab::wait_until("no process is left", || self.processes().is_empty());
        if let Some(links) = lab::ip_json(&self.netns, "link show") {
            assert_eq!(links.len(), 1, "{links:?}");
        }
        for (what, wanted) in [("rule show", 3), ("-6 rule show", 2)] {
            let rules = lab::ip_json(&self.netns, what);
            assert!(rules.is_none_or(|rules| rules.len() == wanted), "ip {what}");
        }
        let routes = lab::output(&self.netns, "ip route show table all proto 98");
        assert_eq!(routes.unwrap_or_default(), "");
        let tables = lab::output(&self.netns, "nft list ruleset");
        assert_eq!(tables.unwrap_or_default(), "");
        let state = self.state().join("bridgework");
        assert_eq!(kept(&state), [""; 0]);
        assert!(!state.join("names.socket").exists());
    }
}

pub fn finish(child: Child) -> Said {
    Said::at_the_end_of(child)
}

/// The one thing that is printed of a failure.
pub fn error_of(said: &Said) -> String {
    let printed: Value = serde_json::from_str(&said.out).expect("json");
    let printed = printed.as_object().expect("an object");
    assert_eq!(printed.keys().collect::<Vec<_>>(), ["error"]);
    let words = printed["error"].as_str().expect("words");
    assert!(!words.is_empty());
    words.to_owned()
}

impl Drop for Machine {
    fn drop(&mut self) {
        for pid in self.processes() {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ended = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// What is told whoever asks there.
pub fn ask(netns: &Netns, at: &str, name: &str, kind: u16) -> Option<Message> {
    let at = SocketAddr::new(at.parse().expect("an address"), 53);
    let any: IpAddr = if at.is_ipv4() {
        [0; 4].into()
    } else {
        [0_u16; 8].into()
    };
    let asked = netns.run(|| {
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.connect(at)?;
        socket.send(&query(name, kind).bytes)?;
        let mut buffer = [0; 1500];
        let length = socket.recv(&mut buffer)?;
        Ok::<_, std::io::Error>(Message::read(&buffer[..length]))
    });
    asked.expect("inside").ok().flatten()
}

/// The addresses of a name; none where it is not known or nobody answers.
pub fn addresses_of(netns: &Netns, at: &str, name: &str) -> Vec<String> {
    let told = ask(netns, at, name, dns::A);
    told.map(|told| told.says()).unwrap_or_default()
}

/// Whether a connection to `to` ends at a listener on `port` of `server`, whoever translates it.
pub fn reaches(client: &Netns, to: (&str, u16), server: &Netns, at: (&str, u16)) -> bool {
    let address = |(ip, port): (&str, u16)| SocketAddr::new(ip.parse().expect("an address"), port);
    let (to, at) = (address(to), address(at));
    let mut bound = None;
    // a former one lives on for a moment in programs that were being started meanwhile
    lab::wait_until("it can be listened there", || {
        bound = server.run(|| TcpListener::bind(at)).expect("inside").ok();
        bound.is_some()
    });
    let listener = bound.expect("it was waited for");
    listener.set_nonblocking(true).expect("a socket");
    let patience = Duration::from_millis(400);
    let connected = client.run(|| TcpStream::connect_timeout(&to, patience));
    let is_connected = connected.expect("inside").is_ok();
    if is_connected {
        lab::wait_until("it is there", || listener.accept().is_ok());
    }
    is_connected
}

/// Whether an echo comes back.
pub fn pings(netns: &Netns, to: &str) -> bool {
    let mut command = Command::new("busybox");
    let ping = if to.contains(':') { "ping6" } else { "ping" };
    command.args([ping, "-c1", "-W1", to]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = netns.run(|| command.status()).expect("inside");
    status.expect("busybox runs").success()
}
