//! A kernel setting of one interface as a caller writes it. No text of a caller becomes a path: of
//! it only the last part is free, and that has no dot and no slash.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::family::Family;
use super::link::LinkName;
use super::parse::{ParseError, Reason, ValueKind, text_value};

/// A kernel setting of one interface: `net.ipv4.conf.IFNAME.log_martians=1`, with `ipv4` or `ipv6`,
/// `conf` or `neigh`, and the word `IFNAME` for the interface, whatever it will be called.
///
/// The key is 1 to 64 lower-case letters, digits and `_`; the value 1 to 64 letters, digits, `-`,
/// `:` and spaces between them. Whether there is such a setting, the kernel knows.
///
/// ```
/// use bridgework::{Family, LinkSysctl, SysctlTable};
///
/// let setting: LinkSysctl = "net.ipv4.neigh.IFNAME.gc_stale_time=30".parse()?;
/// assert_eq!(setting.path(&"eth0".parse()?), "net/ipv4/neigh/eth0/gc_stale_time");
/// assert_eq!((setting.family(), setting.table()), (Family::V4, SysctlTable::Neigh));
/// assert_eq!((setting.key(), setting.value()), ("gc_stale_time", "30"));
/// assert!(setting.is_same_key(&"net.ipv4.neigh.IFNAME.gc_stale_time=60".parse()?));
/// assert!("net.ipv4.ip_forward=1".parse::<LinkSysctl>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkSysctl {
    family: Family,
    table: SysctlTable,
    key: Arc<str>,
    value: Arc<str>,
}

/// The two tables of settings that each interface has, in each family.
///
/// ```
/// use bridgework::{LinkSysctl, SysctlTable};
///
/// let setting: LinkSysctl = "net.ipv6.neigh.IFNAME.gc_stale_time=30".parse()?;
/// assert_eq!(setting.table(), SysctlTable::Neigh);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SysctlTable {
    /// How the interface behaves (Documentation/networking/ip-sysctl.rst).
    Conf,
    /// How its neighbours are looked for and forgotten.
    Neigh,
}

impl SysctlTable {
    fn as_str(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Neigh => "neigh",
        }
    }
}

/// What stands for the interface.
const IFNAME: &str = "IFNAME";
const FORM: &str =
    "net.FAMILY.TABLE.IFNAME.KEY=VALUE, of family ipv4 or ipv6 and table conf or neigh";
const MAX_BYTES: usize = 64;

impl LinkSysctl {
    /// The family whose setting it is.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The table that it is in.
    #[must_use]
    pub fn table(&self) -> SysctlTable {
        self.table
    }

    /// The last part of its name: `log_martians`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it is set to.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The path below `/proc/sys`, of `link`.
    #[must_use]
    pub fn path(&self, link: &LinkName) -> String {
        let Self { table, key, .. } = self;
        format!("net/{}/{}/{link}/{key}", self.family_word(), table.as_str())
    }

    /// Whether it is the same setting, to whatever value.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        (self.family, self.table, &self.key) == (other.family, other.table, &other.key)
    }

    fn family_word(&self) -> &'static str {
        match self.family {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
        }
    }
}

impl FromStr for LinkSysctl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |reason| ParseError::new(ValueKind::LinkSysctl, text, reason);
        let malformed = |expected| error(Reason::Malformed { expected });
        let (name, value) = text.split_once('=').ok_or_else(|| malformed(FORM))?;
        let parts: Vec<&str> = name.split('.').take(6).collect();
        let (family, table, link, key) = match parts[..] {
            ["net", "mpls", ..] => {
                return Err(error(Reason::Unsupported { what: "mpls" }));
            }
            ["net", family, table, link, key] => (family, table, link, key),
            _ => return Err(malformed(FORM)),
        };
        if link != IFNAME {
            return Err(malformed("IFNAME where the interface's name stands"));
        }
        let family = match family {
            "ipv4" => Family::V4,
            "ipv6" => Family::V6,
            _ => return Err(malformed(FORM)),
        };
        let table = match table {
            "conf" => SysctlTable::Conf,
            "neigh" => SysctlTable::Neigh,
            _ => return Err(malformed(FORM)),
        };
        let in_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let in_value = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | ' ');
        check(text, (key, name.len() - key.len()), in_key).map_err(error)?;
        check(text, (value, name.len() + 1), in_value).map_err(error)?;
        if value.starts_with(' ') || value.ends_with(' ') {
            return Err(malformed("a value without spaces around it"));
        }
        Ok(Self {
            family,
            table,
            key: key.into(),
            value: value.into(),
        })
    }
}

/// Whether `part`, which stands at `start` of `text`, is short and made of `allowed` characters.
fn check(
    text: &str,
    (part, start): (&str, usize),
    allowed: impl Fn(char) -> bool,
) -> Result<(), Reason> {
    debug_assert!(text[start..].starts_with(part));
    if part.is_empty() {
        return Err(Reason::Malformed { expected: FORM });
    }
    if let Some((at, character)) = part.char_indices().find(|&(_, c)| !allowed(c)) {
        let position = start + at;
        return Err(Reason::BadCharacter {
            character,
            position,
        });
    }
    match part.len() {
        0..=MAX_BYTES => Ok(()),
        _ => Err(Reason::TooLong {
            max_bytes: MAX_BYTES,
        }),
    }
}

impl fmt::Display for LinkSysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table, key, value, ..
        } = self;
        let (family, table) = (self.family_word(), table.as_str());
        write!(f, "net.{family}.{table}.{IFNAME}.{key}={value}")
    }
}

text_value!(LinkSysctl, ValueKind::LinkSysctl);
