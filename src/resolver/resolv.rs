//! What a `resolv.conf` says, as a value: text to value and back. What a container's file shall say
//! is decided in `generate`; nobody here opens a file.

mod generate;
mod words;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

pub use self::generate::{
    INTERNAL_SERVER, ResolvMode, ResolvOverrides, ResolvText, Upstream, resolv_text,
};
pub use self::words::{DnsOption, NameServer, SearchDomain};

/// The address at which systemd-resolved answers the host, and nobody else.
const STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));

/// Where systemd-resolved writes the servers that it asks itself.
pub const STUB_UPSTREAM_PATH: &str = "/run/systemd/resolve/resolv.conf";

/// The name servers of a `resolv.conf`, in their order. A zone (`%eth0`) is left out, and so is
/// every line that makes no sense; it is never an error.
///
/// ```
/// use bridgework::resolver::nameservers;
///
/// let servers = nameservers("# by hand\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch x\n");
/// assert_eq!(servers, ["10.0.0.2".parse::<std::net::IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
/// ```
#[must_use]
pub fn nameservers(text: &str) -> Vec<IpAddr> {
    let conf = ResolvConf::parse(text);
    conf.nameservers.iter().map(NameServer::address).collect()
}

/// A `resolv.conf`, read. It prints as a file that says the same, without the comments.
///
/// ```
/// use bridgework::resolver::ResolvConf;
///
/// let conf = ResolvConf::parse("; by hand\noptions rotate\ndomain a\nsearch b  c\noptions ndots:2");
/// assert_eq!(conf.to_string(), "search b c\noptions rotate ndots:2\n");
/// assert_eq!((conf.search(), conf.options().len()), (&["b".to_owned(), "c".to_owned()][..], 2));
/// assert_eq!(conf.option("ndots"), Some("2"));
/// assert!(conf.nameservers().is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvConf {
    nameservers: Vec<NameServer>,
    /// Words without white space, as are the options.
    search: Vec<String>,
    options: Vec<String>,
    /// Whole lines that we do not know.
    others: Vec<String>,
    /// Words that stand where name servers should.
    invalid: Vec<String>,
}

impl ResolvConf {
    /// What `text` says; whatever it is, that is no error.
    ///
    /// Of several lines `search` or `domain` the last counts, and options add up. Lines with other
    /// words are kept as they are; comments are not.
    // resolv.conf(5)
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.split('\n') {
            conf.read(line.trim_end_matches('\r'));
        }
        conf
    }

    /// The name servers, in order.
    #[must_use]
    pub fn nameservers(&self) -> &[NameServer] {
        &self.nameservers
    }

    /// The domains in which short names are looked for, in order.
    #[must_use]
    pub fn search(&self) -> &[String] {
        &self.search
    }

    /// The options, in order.
    #[must_use]
    pub fn options(&self) -> &[String] {
        &self.options
    }

    /// The value of the last option of this name, which is empty for an option that has none.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let options = self.options.iter().rev().map(|option| split(option));
        let mut named = options.filter(|(found, _)| *found == name);
        named.next().map(|(_, value)| value)
    }

    /// Whether its only server is the stub of systemd-resolved, which answers nobody but the host.
    /// Containers then need what [`STUB_UPSTREAM_PATH`] says instead.
    ///
    /// ```
    /// use bridgework::resolver::ResolvConf;
    ///
    /// assert!(ResolvConf::parse("nameserver 127.0.0.53\noptions edns0").is_stub());
    /// assert!(!ResolvConf::parse("nameserver 127.0.0.53\nnameserver 10.0.0.2").is_stub());
    /// ```
    #[must_use]
    pub fn is_stub(&self) -> bool {
        matches!(self.nameservers.as_slice(), [server] if *server == NameServer::from(STUB))
    }

    fn read(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        let Some(first) = words.next().filter(|word| !word.starts_with(['#', ';'])) else {
            return;
        };
        let mut words = words.map(str::to_owned).peekable();
        match first {
            "nameserver" => match words.next().map(|word| (word.parse(), word)) {
                Some((Ok(server), _)) => self.nameservers.push(server),
                Some((Err(_), word)) => self.invalid.push(word),
                None => {}
            },
            "search" | "domain" if words.peek().is_some() => self.search = words.collect(),
            "options" => self.options.extend(words),
            "search" | "domain" => {}
            _ => self.others.push(line.to_owned()),
        }
    }
}

impl fmt::Display for ResolvConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for server in &self.nameservers {
            writeln!(f, "nameserver {server}")?;
        }
        for (keyword, words) in [("search", &self.search), ("options", &self.options)] {
            if !words.is_empty() {
                writeln!(f, "{keyword} {}", words.join(" "))?;
            }
        }
        self.others
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// The name and the value of an option.
fn split(option: &str) -> (&str, &str) {
    option.split_once(':').unwrap_or((option, ""))
}
