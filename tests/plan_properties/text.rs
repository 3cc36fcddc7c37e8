//! The texts of plans: one line a step, in which no name, alias or path does more than stand there.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::Command;

use bridgework::LinkIndex;
use bridgework::plan::{ContainerFile, FileWrite, HostsEdit, HostsFile, Link, Side, Step};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary::{hosts_edit, link, nasty, plan_of_lines};
use crate::config;

/// One piece of a command line: a word as the shell would pass it on, or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(Vec<u8>),
    Operator(String),
}

fn word(text: impl AsRef<[u8]>) -> Token {
    Token::Word(text.as_ref().to_vec())
}

fn operator(text: &str) -> Token {
    Token::Operator(text.to_owned())
}

/// Reads the small part of the shell's grammar that plans are printed in; `None` for all else, as
/// for any character with a meaning that stands outside of quotes.
fn tokens(line: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            return Some(tokens);
        }
        let operator_len = rest.bytes().take_while(|b| b";|>".contains(b)).count();
        if operator_len > 0 {
            tokens.push(operator(&rest[..operator_len]));
            rest = &rest[operator_len..];
            continue;
        }
        let mut bytes = Vec::new();
        while !rest.is_empty() && !rest.starts_with([' ', ';', '|', '>']) {
            rest = take_part(rest, &mut bytes)?;
        }
        tokens.push(Token::Word(bytes));
    }
}

/// Adds the quoted or plain part that `text` begins with to `word`, and returns what follows.
fn take_part<'a>(text: &'a str, word: &mut Vec<u8>) -> Option<&'a str> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let (inside, rest) = quoted.split_once('\'')?;
        word.extend(inside.bytes());
        return Some(rest);
    }
    if let Some(escaped) = text.strip_prefix("$'") {
        return take_escaped(escaped, word);
    }
    if let Some(rest) = text.strip_prefix("\\'") {
        word.push(b'\'');
        return Some(rest);
    }
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(*c);
    let first = text.chars().next().filter(plain)?;
    word.push(first as u8);
    Some(&text[1..])
}

fn take_escaped<'a>(mut text: &'a str, word: &mut Vec<u8>) -> Option<&'a str> {
    loop {
        if let Some(rest) = text.strip_prefix('\'') {
            return Some(rest);
        }
        if let Some(escape) = text.strip_prefix('\\') {
            if let Some(quoted) = escape.chars().next().filter(|c| "\\'".contains(*c)) {
                word.push(quoted as u8);
                text = &escape[1..];
            } else {
                word.push(u8::from_str_radix(escape.get(..3)?, 8).ok()?);
                text = &escape[3..];
            }
            continue;
        }
        let first = text.chars().next()?;
        word.extend(first.encode_utf8(&mut [0; 4]).bytes());
        text = &text[first.len_utf8()..];
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_step_but_a_table_prints_as_one_line(plan in plan_of_lines()) {
        let text = plan.to_string();
        prop_assert_eq!(text.lines().count(), plan.steps().len());
        prop_assert!(text.is_empty() || text.ends_with('\n'));
        for line in text.lines() {
            prop_assert!(!line.trim().is_empty());
            let control = |c: char| c.is_control() && c != '\t';
            let breaks = |c: char| control(c) || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!line.contains(breaks), "{line:?}");
        }
        for step in plan.steps() {
            prop_assert_eq!(step.to_string().lines().count(), 1);
        }
    }

    #[test]
    fn no_name_alias_or_path_gets_out_of_its_quotes(plan in plan_of_lines()) {
        for (line, step) in plan.to_string().lines().zip(plan.steps()) {
            // the shell that the line is typed into
            let tokens = match step {
                Step::MoveLink { .. } => tokens(&line.replacen(" netns $$ name ", " netns 1 name ", 1)),
                _ => tokens(line),
            };
            prop_assert!(tokens.is_some(), "{line}");
            let operators: Vec<Token> = tokens
                .unwrap_or_default()
                .into_iter()
                .filter(|token| matches!(token, Token::Operator(_)))
                .collect();
            prop_assert_eq!(operators, operators_of(step), "{}", line);
        }
    }

    #[test]
    fn an_alias_is_one_word_and_so_is_the_links_name(link in link(), alias in nasty()) {
        let step = Step::SetAlias { link: link.clone(), alias: alias.clone() };
        let ip = match link.side {
            Side::Host => vec![word("ip")],
            Side::Container => vec![word("ip"), word("-n"), word("container")],
        };
        let rest = ["link", "set", "dev", link.name.as_str(), "alias", &alias].map(word);
        let expected = [ip, rest.to_vec()].concat();
        prop_assert_eq!(tokens(&step.to_string()), Some(expected));
    }

    #[test]
    fn a_hosts_files_path_is_one_word(mut edit in hosts_edit()) {
        edit.add.push("a b".to_owned());
        let expected = match &edit.file {
            HostsFile::At(path) => path.clone(),
            HostsFile::InRoot(root) => root.join("etc/hosts"),
        };
        let tokens = tokens(&Step::EditHosts(edit).to_string()).unwrap_or_default();
        prop_assert_eq!(tokens.last(), Some(&word(expected.into_os_string().into_vec())));
    }
}

/// The operators of the crate's own making.
fn operators_of(step: &Step) -> Vec<Token> {
    match step {
        Step::AwaitForwarding { .. } => ["|", ";", ";"].map(operator).to_vec(),
        Step::EditHosts(edit) => {
            let keep = match edit.remove.as_slice() {
                [] => vec![],
                _ => vec![vec![operator(">")], vec![operator(">")], vec![]],
            };
            let echo = vec![vec![operator(">>")]; edit.add.len()];
            [keep, echo].concat().join(&operator(";"))
        }
        Step::WriteFile(write) => match (write.former.as_str(), write.text.as_str()) {
            ("", "") => vec![],
            ("", _) => ["||", ">"].map(operator).to_vec(),
            (_, "") => ["|", ";", ">", ";"].map(operator).to_vec(),
            (_, _) => ["||", "|", ";", ">", ";"].map(operator).to_vec(),
        },
        _ => vec![],
    }
}

fn run(script: &str) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-c", script])
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{script}: {output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{script}");
    output.stdout
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..config() })]

    #[test]
    fn a_real_shell_reads_each_alias_as_it_is(aliases in vec(nasty(), 1..16)) {
        let link = Link::new(Side::Host, "x".parse().unwrap(), LinkIndex::new(1).unwrap());
        let aliases: Vec<String> = aliases.iter().map(|alias| alias.replace('\0', "")).collect();
        let words = aliases.iter().map(|alias| {
            let step = Step::SetAlias { link: link.clone(), alias: alias.clone() };
            step.to_string().replacen("ip link set dev x alias", "", 1)
        });
        let script = format!("printf '%s\\0' {}", words.collect::<String>());
        let expected = aliases.iter().flat_map(|alias| [alias.as_bytes(), b"\0"].concat());
        prop_assert_eq!(run(&script), expected.collect::<Vec<u8>>());
    }

    #[test]
    fn the_printed_edit_of_a_hosts_file_does_what_the_step_says(
        lines in vec(prop_oneof!["[ab*.$^/\\\\\\[\\]'é -]{0,3}", "[ -~]{0,3}"], 0..8),
        chosen in vec(any::<bool>(), 8),
        add in vec("[ -~é]{0,6}", 0..4),
    ) {
        let chosen = lines.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
        let remove = chosen.map(|(line, _)| line.clone()).collect();
        does_what_it_says(&lines, remove, add);
    }
}

#[test]
fn a_dot_in_a_line_that_goes_stands_for_nothing_else() {
    let lines = ["10.0.0.1 db", "10x0x0x1 db"].map(str::to_owned);
    does_what_it_says(&lines, vec![lines[0].clone()], vec![]);
}

fn does_what_it_says(lines: &[String], remove: Vec<String>, add: Vec<String>) {
    let dir = Scratch::new();
    let path = dir.0.join("it's the hosts");
    let end = |line: &String| format!("{line}\n");
    std::fs::write(&path, lines.iter().map(end).collect::<String>())
        .expect("the directory is ours");
    let kept = lines.iter().filter(|line| !remove.contains(line));
    let expected: String = kept.chain(&add).map(end).collect();
    let file = HostsFile::At(path.clone());
    run(&Step::EditHosts(HostsEdit { file, remove, add }).to_string());
    let written = std::fs::read_to_string(&path).expect("the file is still there");
    assert_eq!(written, expected);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..config() })]

    #[test]
    fn the_printed_writing_of_a_file_does_what_the_step_says(
        texts in vec(prop_oneof![Just(String::new()), "[ab'\\%\n-]{0,6}", "[ -~é\n]{0,6}"], 3),
        chosen in 0..5usize,
    ) {
        let [text, former, other] = &texts[..] else { unreachable!("three texts were made") };
        let dir = Scratch::new();
        let path = dir.0.join("it's the file");
        let empty = String::new();
        let found = [Some(text), Some(former), Some(other), Some(&empty), None][chosen];
        if let Some(found) = found {
            std::fs::write(&path, found).expect("the directory is ours");
        }
        let ours = found.is_none_or(|found| found.is_empty() || found == former);
        let expected = match found {
            None if text.is_empty() => None,
            _ if ours => Some(text),
            found => found,
        };
        let (text, former) = (text.clone(), former.clone());
        let file = ContainerFile::At(path.clone());
        run(&Step::WriteFile(FileWrite { file, text, former }).to_string());
        let written = std::fs::read_to_string(&path).ok();
        prop_assert_eq!(written.as_ref(), expected);
    }
}

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let output = run("mktemp -d");
        let path = String::from_utf8(output).expect("mktemp prints a path");
        Self(path.trim_end().into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).expect("nobody else removes it");
    }
}
