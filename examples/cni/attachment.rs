//! What an attachment is called in the crate's records: a container's id and an interface's name make
//! one name, from which both can be read again, so that no two attachments are ever called the same.

use std::fmt;

use bridgework::{ContainerName, LinkName};

use crate::failure::{Failure, Outcome};

/// A container's place by one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attachment {
    pub(crate) link: LinkName,
    container: String,
    name: ContainerName,
}

/// A label of a name is no longer than 63 bytes.
const LABEL_BYTES: usize = 60;

impl Attachment {
    /// The spec allows letters, digits, `_`, `.` and `-` in a container's id, the first a letter or a
    /// digit.
    pub(crate) fn new(container: &str, link: LinkName) -> Outcome<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let begins_well = container.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !begins_well || !container.bytes().all(is_plain) {
            let words = "an id is letters, digits, '_', '.' and '-', the first a letter or digit";
            return Err(Failure::invalid(words));
        }
        let mut name = String::new();
        for (index, byte) in word(container).bytes().enumerate() {
            if index > 0 && index % LABEL_BYTES == 0 {
                name.push('.');
            }
            name.push(byte.into());
        }
        let name = format!("{name}.{}", word(link.as_str())).parse()?;
        Ok(Self {
            link,
            container: container.to_owned(),
            name,
        })
    }

    /// Whether a container of that name is an attachment by that interface.
    pub(crate) fn is_named(name: &str, link: &LinkName) -> bool {
        let last = name.rsplit_once('.');
        last.is_some_and(|(_, last)| last == word(link.as_str()))
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }
}

/// Letters, digits and hyphens as they are; all else as `_` and its number.
fn word(text: &str) -> String {
    let mut word = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' => word.push('-'),
            _ if byte.is_ascii_alphanumeric() => word.push(byte.into()),
            _ => word.push_str(&format!("_{byte:02x}")),
        }
    }
    word
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of container {}", self.link, self.container)
    }
}
