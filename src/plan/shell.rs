//! Any text as one word of the shell, on one line, so that no name, alias or path can end a command
//! or begin one. Nothing here runs a shell.

use crate::addr::LinkName;

/// `text` as one word of the shell.
pub(crate) fn quote(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_./:=,@+".contains(b);
    match std::str::from_utf8(text) {
        Ok(word) if !word.is_empty() && text.iter().all(plain) => word.to_owned(),
        Ok(word) if !word.contains(needs_escape) => format!("'{}'", word.replace('\'', "'\\''")),
        _ => escape(text),
    }
}

/// The name as one word: the kernel takes `a;b` for a link's name.
pub(super) fn quote_link(name: &LinkName) -> String {
    quote(name.as_str())
}

fn needs_escape(character: char) -> bool {
    // a tab is as good within quotes, and hosts lines have one
    (character.is_control() && character != '\t') || matches!(character, '\u{2028}' | '\u{2029}')
}

// POSIX.1-2024 §2.2.4: within $'…', an octal escape is a byte
fn escape(text: &[u8]) -> String {
    let octal = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("\\{b:03o}")).collect() };
    let character = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if needs_escape(c) => octal(c.encode_utf8(&mut [0; 4]).as_bytes()),
        c => c.to_string(),
    };
    let chunks = text.utf8_chunks().map(|chunk| {
        let valid: String = chunk.valid().chars().map(character).collect();
        valid + &octal(chunk.invalid())
    });
    format!("$'{}'", chunks.collect::<String>())
}
