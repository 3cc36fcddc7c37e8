//! How long ago something was, as Docker says it.

use std::time::{Duration, SystemTime};

use bridgework::Timestamp;

/// How long ago it was: `2 minutes`.
pub(super) fn since(moment: Timestamp) -> String {
    let passed = SystemTime::now().duration_since(moment.system_time());
    words(passed.unwrap_or_default())
}

fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        3600..7200 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if days < 14 => format!("{days} days"),
        _ if days < 60 => format!("{} weeks", days / 7),
        _ if days < 730 => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}
