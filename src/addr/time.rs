//! A moment, as inspect and events show it.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use super::parse::{ParseError, Reason, ValueKind, text_value};

/// A moment in UTC, from 1970 on; its text is that of rfc3339 with nine digits of a second.
///
/// ```
/// use bridgework::Timestamp;
///
/// let moment: Timestamp = "2026-11-21T06:44:00.000000001Z".parse()?;
/// assert_eq!(moment.to_string(), "2026-11-21T06:44:00.000000001Z");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(SystemTime);

impl Timestamp {
    /// As the standard library's clocks have it.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    /// What lies before 1970 or after 9999 becomes the nearest moment within.
    fn from(moment: SystemTime) -> Self {
        const YEAR_10000_S: u64 = 253_402_300_800;
        let last = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(YEAR_10000_S - 1);
        Self(moment.clamp(SystemTime::UNIX_EPOCH, last))
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let parsed = humantime::parse_rfc3339(text);
        parsed.map(Self::from).map_err(|_| {
            let expected = "a moment as in 2026-11-21T06:44:00Z";
            ParseError::new(ValueKind::Timestamp, text, Reason::Malformed { expected })
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_nanos(self.0).fmt(f)
    }
}

text_value!(Timestamp, ValueKind::Timestamp);
