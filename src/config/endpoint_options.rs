//! The options of an endpoint by their keys. What is asked for is only understood here.

use std::collections::BTreeMap;

use crate::addr::{LinkName, LinkSysctl, ParseError, Reason};
use crate::error::Fault;

use super::keys::{excerpt, unknown};

const IFNAME: &str = "com.docker.network.endpoint.ifname";
const SYSCTLS: &str = "com.docker.network.endpoint.sysctls";

/// What options say of an endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct EndpointOptions {
    pub(super) link_name: Option<LinkName>,
    pub(super) sysctls: Vec<LinkSysctl>,
}

impl EndpointOptions {
    /// What `texts` say. All that is wrong with them goes to `faults`.
    pub(super) fn parse(texts: &BTreeMap<String, String>, faults: &mut Vec<Fault>) -> Self {
        let mut options = Self::default();
        for (key, value) in texts {
            match key.as_str() {
                IFNAME => match value.parse::<LinkName>() {
                    Ok(name) => options.link_name = Some(name),
                    Err(error) => faults.push(misfit(key, value, error)),
                },
                SYSCTLS => {
                    for setting in value.split(',') {
                        match setting.parse::<LinkSysctl>() {
                            Ok(setting) => options.sysctls.push(setting),
                            Err(error) => faults.push(misfit(key, setting, error)),
                        }
                    }
                }
                key => faults.push(unknown(key, [IFNAME, SYSCTLS].into_iter())),
            }
        }
        options
    }

    /// Both together; where they contradict each other, or themselves, a fault, and what is in
    /// `self`.
    pub(super) fn joined(self, by_key: Self, faults: &mut Vec<Fault>) -> Self {
        let mut conflict = |a: String, b: String| {
            faults.push(Fault::Conflicting(format!("{a} and {b}")));
        };
        if let (Some(typed), Some(text)) = (&self.link_name, &by_key.link_name) {
            if typed != text {
                conflict(
                    format!("{IFNAME}={text}"),
                    format!("the typed value {typed}"),
                );
            }
        }
        let mut sysctls: Vec<LinkSysctl> = Vec::new();
        for setting in self.sysctls.into_iter().chain(by_key.sysctls) {
            match sysctls.iter().find(|other| other.is_same_key(&setting)) {
                None => sysctls.push(setting),
                Some(same) if *same == setting => {}
                Some(other) => conflict(other.to_string(), setting.to_string()),
            }
        }
        Self {
            link_name: self.link_name.or(by_key.link_name),
            sysctls,
        }
    }
}

/// What nothing here can do is told as it is, and not as a matter of its form.
fn misfit(key: &str, value: &str, error: ParseError) -> Fault {
    if matches!(error.reason(), Reason::Unsupported { .. }) {
        return error.into();
    }
    Fault::OptionValue {
        key: key.to_owned(),
        value: excerpt(value),
        why: error.reason().to_string(),
    }
}
