//! `examples/netctl/WALKTHROUGH.md`, command by command: each prints what stands there.

use std::fs;
use std::path::PathBuf;

use crate::ground::{Machine, has};
use crate::normal::normal;

/// A command and what it prints.
#[derive(Debug)]
struct Step {
    command: String,
    output: String,
}

/// The text between the blocks of commands, and the blocks.
#[derive(Debug)]
enum Part {
    Text(String),
    Steps(Vec<Step>),
}

const OPEN: &str = "```console";
const CLOSE: &str = "```";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/netctl/WALKTHROUGH.md")
}

fn parse(text: &str) -> Vec<Part> {
    let mut parts = vec![Part::Text(String::new())];
    for line in text.lines() {
        match parts.last_mut().expect("there is one") {
            Part::Text(text) => {
                text.push_str(line);
                text.push('\n');
                if line == OPEN {
                    parts.push(Part::Steps(Vec::new()));
                }
            }
            Part::Steps(_) if line == CLOSE => parts.push(Part::Text(format!("{CLOSE}\n"))),
            Part::Steps(steps) => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step {
                    command: command.to_owned(),
                    output: String::new(),
                }),
                (None, Some(step)) => {
                    step.output.push_str(line);
                    step.output.push('\n');
                }
                (None, None) => panic!("output without a command: {line}"),
            },
        }
    }
    parts
}

fn print(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Text(words) => text.push_str(words),
            Part::Steps(steps) => {
                for Step { command, output } in steps {
                    text.push_str(&format!("$ {command}\n{output}"));
                }
            }
        }
    }
    text
}

#[test]
fn every_command_of_the_walkthrough_prints_what_stands_there() {
    let programs = ["busybox", "ip", "getent", "grep", "tail"];
    if !programs.map(has).iter().all(|there| *there) {
        return;
    }
    let text = fs::read_to_string(path()).expect("the walkthrough");
    let mut parts = parse(&text);
    let machine = Machine::new("walkthrough");
    let mut wrong = Vec::new();
    let mut count = 0;
    for part in &mut parts {
        let Part::Steps(steps) = part else { continue };
        for step in steps {
            let output = machine.shell(&step.command);
            count += 1;
            if normal(&output) != normal(&step.output) {
                let Step {
                    command,
                    output: expected,
                } = &step;
                wrong.push(format!("$ {command}\n{output}instead of\n{expected}"));
            }
            step.output = output;
        }
    }
    assert!(count > 40, "{count} commands");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path(), print(&parts)).expect("write the walkthrough");
        return;
    }
    let how = "if this is meant: UPDATE_GOLDEN=1 cargo test --features store --test netctl walk";
    assert!(wrong.is_empty(), "{}\n{how}", wrong.join("\n"));
}
