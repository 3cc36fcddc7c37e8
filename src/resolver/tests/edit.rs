//! Laws of an edit, on texts of all kinds.

use proptest::prelude::*;
use proptest::sample::select;

use crate::resolver::{Change, change, edit};

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(text: &str, remove: &[&str], add: &[&str], expected: &str) {
    let edited = edit(text.as_bytes(), &owned(remove), &owned(add));
    assert_eq!(String::from_utf8(edited).unwrap(), expected);
}

#[test]
fn the_last_of_equal_lines_goes_and_one_for_each_that_is_named() {
    check("a\nb\na\nc\n", &["a"], &[], "a\nb\nc\n");
    check("a\nb\na\nc\n", &["a", "a"], &[], "b\nc\n");
    check("a\nb\n", &["a", "a", "x"], &[], "b\n");
    check("ab\na b\na\r\n", &["a"], &[], "ab\na b\na\r\n");
}

#[test]
fn a_line_that_is_there_is_not_added_again() {
    check("a\nb\n", &[], &["a"], "a\nb\n");
    check("b\n", &[], &["a", "a"], "b\na\n");
    check("a", &[], &["a"], "a");
    check("a\n", &["a"], &["a", "b"], "a\nb\n");
}

#[test]
fn a_text_without_a_final_line_feed_stays_without() {
    check("a", &[], &["b", "c"], "a\nb\nc");
    check("a\nb\nc", &["b", "c"], &[], "a");
    check("a\nb", &["b"], &["c"], "a\nc");
    check("a\n\nb", &["b"], &[], "a\n\n");
    check("a", &["a"], &[], "");
    check("", &[], &["a"], "a\n");
}

#[test]
fn what_is_not_one_line_is_not_added() {
    check("a\n", &[], &["", "b\nc", "d"], "a\nd\n");
    check("a\n\nb\n", &["", "a\n"], &[], "a\n\nb\n");
}

#[test]
fn the_least_is_written() {
    let rewrite = |at, bytes: &[u8], size| Change::Rewrite {
        at,
        bytes: bytes.to_vec(),
        size,
    };
    assert_eq!(change(b"a\n", b"a\n"), Change::None);
    assert_eq!(change(b"a\n", b"a\nb\n"), Change::Append(b"b\n"));
    assert_eq!(change(b"a\nb\n", b"a\n"), Change::Cut(2));
    assert_eq!(
        change(b"a\nb\ncd\n", b"a\ncd\n"),
        rewrite(2, b"cd\n\n\n", 5)
    );
    assert_eq!(change(b"a\nb\n", b"a\nlong\n"), rewrite(2, b"long\n", 7));
}

/// Texts in which lines, fragments of lines and odd bytes stand in any order.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 9] = [
        b"127.0.0.1\tlocalhost\n",
        b"10.0.0.2\tweb",
        b"10.0.0.3\tdb\n",
        b"\n",
        b"\r\n",
        b"\xff\xfe",
        b"# x",
        b"\0",
        b" ",
    ];
    prop::collection::vec(select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    let lines = [
        "10.0.0.2\tweb",
        "10.0.0.3\tdb",
        "10.0.0.4\tx",
        "fd00::2\tweb",
    ];
    prop::collection::vec(select(lines.to_vec()), 0..4).prop_map(|lines| owned(&lines))
}

fn holds(text: &[u8], line: &str) -> usize {
    let lines = text.split(|&byte| byte == b'\n');
    lines.filter(|held| *held == line.as_bytes()).count()
}

/// How the kernel performs it.
fn perform(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut text = old.to_vec();
    match change(old, new) {
        Change::None => {}
        Change::Append(bytes) => text.extend_from_slice(bytes),
        Change::Cut(size) => text.truncate(size),
        Change::Rewrite { at, bytes, size } => {
            text.truncate(at);
            text.extend_from_slice(&bytes);
            assert!(text.len() >= old.len(), "an old remnant would be seen");
            assert!(text.split_off(size).iter().all(|&byte| byte == b'\n'));
        }
    }
    text
}

proptest! {
    #[test]
    fn removing_what_was_added_gives_back_every_byte(text in texts(), add in lines()) {
        prop_assume!(add.iter().all(|line| holds(&text, line) == 0));
        let edited = edit(&text, &[], &add);
        prop_assert!(add.iter().all(|line| holds(&edited, line) == 1));
        prop_assert_eq!(edit(&edited, &add, &[]), text);
    }

    #[test]
    fn lines_that_are_removed_one_by_one_leave_every_other_byte(
        text in texts(), add in lines(), reverse: bool,
    ) {
        prop_assume!(add.iter().all(|line| holds(&text, line) == 0));
        let mut edited = edit(&text, &[], &add);
        let mut order = add.clone();
        if reverse {
            order.reverse();
        }
        for line in order {
            edited = edit(&edited, &[line], &[]);
        }
        prop_assert_eq!(edited, text);
    }

    #[test]
    fn an_edit_that_is_repeated_changes_nothing_more(
        text in texts(), remove in lines(), add in lines(),
    ) {
        prop_assume!(remove.iter().all(|line| holds(&text, line) <= 1));
        let once = edit(&text, &remove, &add);
        prop_assert_eq!(edit(&once, &remove, &add), once);
    }

    #[test]
    fn all_other_lines_stay_in_their_order(text in texts(), remove in lines(), add in lines()) {
        let others = |text: &[u8]| -> Vec<Vec<u8>> {
            let all = remove.iter().chain(&add);
            let named: Vec<&[u8]> = all.map(|line| line.as_bytes()).collect();
            let lines = text.split(|&byte| byte == b'\n').filter(|line| !named.contains(line));
            lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
        };
        prop_assert_eq!(others(&edit(&text, &remove, &add)), others(&text));
    }

    #[test]
    fn any_bytes_are_edited(
        text in prop::collection::vec(any::<u8>(), 0..64),
        remove in prop::collection::vec("(?s).{0,8}", 0..4),
        add in prop::collection::vec("(?s).{0,8}", 0..4),
    ) {
        let edited = edit(&text, &remove, &add);
        prop_assert_eq!(perform(&text, &edited), edited);
    }

    #[test]
    fn a_change_makes_the_old_into_the_new(text in texts(), remove in lines(), add in lines()) {
        let edited = edit(&text, &remove, &add);
        prop_assert_eq!(perform(&text, &edited), edited);
    }
}
