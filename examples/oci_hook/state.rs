//! The state that a runtime writes to a hook's stdin, as far as it matters here.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use crate::Outcome;

/// No state is longer.
const MAX_BYTES: u64 = 4 << 20;

#[derive(Debug, Deserialize)]
pub(crate) struct State {
    pub(crate) id: String,
    /// After its end crun says 0, and runc says nothing.
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl State {
    pub(crate) fn read(from: impl Read) -> Outcome<Self> {
        let state = serde_json::from_reader(from.take(MAX_BYTES));
        Ok(state.map_err(|error| format!("read the container's state: {error}"))?)
    }

    /// The container's process.
    pub(crate) fn pid(&self) -> Outcome<u32> {
        let pid = self.pid.filter(|pid| *pid != 0);
        Ok(pid.ok_or("the container's state has no pid")?)
    }

    /// Ours, without what they begin with.
    pub(crate) fn annotations(&self) -> BTreeMap<&str, &str> {
        let all = self.annotations.iter().flatten();
        let ours = all.filter_map(|(key, value)| {
            let key = key.strip_prefix("bridgework.")?;
            Some((key, value.as_str()))
        });
        ours.collect()
    }
}
