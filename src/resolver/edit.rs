//! How a hosts file changes: from the bytes that it has to the bytes that it shall have, and to
//! the least that must be written for it. Bytes only, whatever they are; `kernel` writes them.

use std::collections::{HashMap, HashSet};

const LF: u8 = b'\n';

/// `text` with the lines of `remove` taken away and those of `add` at the end. All other bytes stay
/// as they are, be they UTF-8 or not.
///
/// - A line is what stands between line feeds, all of it: `a` is not `a` with a carriage return.
/// - For each line of `remove` one line goes, the last that equals it. If there is none, that is
///   done.
/// - A line of `add` that is there already is not added again, so that an edit may be repeated: a
///   second time it adds nothing. The price is paid when it is taken back: if somebody else wrote
///   the same line before, that line goes.
/// - A line that is in both stays where it is, or is added.
/// - A text that does not end with a line feed still does not after lines were added or removed, so
///   that removing what was added gives back every byte.
/// - What is not one line (empty, or with a line feed in it) is neither removed nor added.
///
/// ```
/// use bridgework::resolver::edit;
///
/// let before = b"127.0.0.1\tlocalhost\n# mine";
/// let line = ["10.0.0.2\tweb".to_owned()];
/// let after = edit(before, &[], &line);
/// assert_eq!(after, b"127.0.0.1\tlocalhost\n# mine\n10.0.0.2\tweb");
/// assert_eq!(edit(&after, &[], &line), after);
/// assert_eq!(edit(&after, &line, &[]), before);
/// ```
#[must_use]
pub fn edit(text: &[u8], remove: &[String], add: &[String]) -> Vec<u8> {
    let add: Vec<&[u8]> = lines_of(add).collect();
    let coming: HashSet<&[u8]> = add.iter().copied().collect();
    let mut going: HashMap<&[u8], usize> = HashMap::new();
    for line in lines_of(remove).filter(|line| !coming.contains(line)) {
        *going.entry(line).or_default() += 1;
    }
    let kept = without(text, going);
    let mut held: HashSet<&[u8]> = kept.iter().map(|piece| content(piece)).collect();
    let mut edited = join(text, &kept);
    for line in add {
        if held.insert(line) {
            append(&mut edited, line);
        }
    }
    edited
}

/// Whether `line` is one line of a hosts file, without its end.
pub(crate) fn is_line(line: &str) -> bool {
    !line.is_empty() && !line.as_bytes().contains(&LF)
}

/// The least that makes `old` into `new` in place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// Nothing.
    None,
    /// These bytes at the end.
    Append(&'a [u8]),
    /// Nothing is written; only so many bytes stay.
    Cut(usize),
    /// These bytes from here on, then so many bytes stay. Between the two, whoever reads sees no
    /// remnant of the old text but empty lines.
    Rewrite {
        at: usize,
        bytes: Vec<u8>,
        size: usize,
    },
}

/// See [`Change`].
pub(crate) fn change<'a>(old: &[u8], new: &'a [u8]) -> Change<'a> {
    let at = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (_, tail) = new.split_at(at);
    match (at == old.len(), tail.is_empty()) {
        (true, true) => Change::None,
        (true, false) => Change::Append(tail),
        (false, true) => Change::Cut(at),
        (false, false) => {
            let mut bytes = tail.to_vec();
            bytes.resize(bytes.len().max(old.len() - at), LF);
            let size = new.len();
            Change::Rewrite { at, bytes, size }
        }
    }
}

fn lines_of(lines: &[String]) -> impl Iterator<Item = &[u8]> {
    let valid = lines.iter().filter(|line| is_line(line));
    valid.map(|line| line.as_bytes())
}

/// The lines of `text` with their ends, less the last `going[line]` of each.
fn without<'a>(text: &'a [u8], mut going: HashMap<&[u8], usize>) -> Vec<&'a [u8]> {
    let mut stays = |piece: &&[u8]| match going.get_mut(content(piece)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    let pieces: Vec<&[u8]> = text.split_inclusive(|&byte| byte == LF).collect();
    let kept = pieces.into_iter().rev().filter(|piece| stays(piece));
    let mut kept: Vec<&[u8]> = kept.collect();
    kept.reverse();
    kept
}

fn content(piece: &[u8]) -> &[u8] {
    piece.strip_suffix(&[LF]).unwrap_or(piece)
}

/// The text of `kept`, which ends with a line feed only if `text` does. An empty line at its end
/// can't be told without one; it keeps it.
fn join(text: &[u8], kept: &[&[u8]]) -> Vec<u8> {
    let mut joined = kept.concat();
    if !text.ends_with(&[LF]) && kept.last().is_some_and(|piece| !content(piece).is_empty()) {
        joined.truncate(content(&joined).len());
    }
    joined
}

fn append(text: &mut Vec<u8>, line: &[u8]) {
    if text.last().is_none_or(|&byte| byte == LF) {
        text.extend_from_slice(line);
        text.push(LF);
    } else {
        text.push(LF);
        text.extend_from_slice(line);
    }
}
