//! A moment, as inspect and events show it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::parse::{ParseError, Reason, ValueKind, text_value};

/// A moment in UTC, from 1970 on; its text is that of rfc3339 with nine digits of a second. A text of
/// another zone is read as the moment that it means.
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

    /// The moment so long after the beginning of 1970, at most the end of 9999.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use bridgework::Timestamp;
    ///
    /// let day = Duration::from_secs(86_400);
    /// let moment = Timestamp::from_unix(day);
    /// assert_eq!(moment.to_string(), "1970-01-02T00:00:00.000000000Z");
    /// assert_eq!(moment.system_time(), SystemTime::UNIX_EPOCH + day);
    /// ```
    #[must_use]
    pub fn from_unix(since_1970: Duration) -> Self {
        let since_1970 = since_1970.min(Duration::from_secs(YEAR_10000_S));
        Self::from(SystemTime::UNIX_EPOCH + since_1970)
    }

    /// The moment so long before this one, at least the beginning of 1970.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bridgework::Timestamp;
    ///
    /// let moment: Timestamp = "2026-11-21T06:44:00Z".parse()?;
    /// let earlier = moment.earlier_by(Duration::from_secs(3600));
    /// assert_eq!(earlier, "2026-11-21T05:44:00Z".parse()?);
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn earlier_by(self, span: Duration) -> Self {
        Self::from(self.0.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH))
    }
}

const YEAR_10000_S: u64 = 253_402_300_800;

impl From<SystemTime> for Timestamp {
    /// What lies before 1970 or after 9999 becomes the nearest moment within.
    fn from(moment: SystemTime) -> Self {
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(YEAR_10000_S - 1);
        Self(moment.clamp(SystemTime::UNIX_EPOCH, last))
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map(Self::from).ok_or_else(|| {
            let expected = "a moment as in 2026-11-21T06:44:00Z";
            ParseError::new(ValueKind::Timestamp, text, Reason::Malformed { expected })
        })
    }
}

/// humantime reads UTC alone, and passes over some of what stands after the seconds.
fn parse(text: &str) -> Option<SystemTime> {
    let (local, zone_s) = match text.strip_suffix('Z') {
        Some(local) => (local, 0),
        None => split_zone(text)?,
    };
    let fraction = local.get("2026-11-21T06:44:00".len()..)?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !fraction.is_empty() && !fraction.strip_prefix('.').is_some_and(digits) {
        return None;
    }
    let local = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let zone = Duration::from_secs(zone_s.unsigned_abs());
    match zone_s {
        ..=0 => local.checked_add(zone),
        _ => local
            .checked_sub(zone)
            .filter(|utc| *utc >= SystemTime::UNIX_EPOCH),
    }
}

/// A text that ends in `+02:00` or `-11:30`, without that, and how far its clock is ahead of UTC.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    let (local, zone) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let [sign, h1, h2, b':', m1, m2] = *zone.as_bytes() else {
        return None;
    };
    let two = |tens: u8, ones: u8, max: i64| {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        let number = i64::from(tens) * 10 + i64::from(ones) - i64::from(b'0') * 11;
        (digits && number <= max).then_some(number)
    };
    let ahead_s = (two(h1, h2, 23)? * 60 + two(m1, m2, 59)?) * 60;
    match sign {
        b'+' => Some((local, ahead_s)),
        b'-' => Some((local, -ahead_s)),
        _ => None,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_nanos(self.0).fmt(f)
    }
}

text_value!(Timestamp, ValueKind::Timestamp);
