//! What `nft` says, in words that stay the same: one line for each element of a set or map.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use bridgework::Netns;
use serde_json::Value;

/// What `nft ARGUMENTS` prints inside the namespace, `input` being given to it; panics with its own
/// words if it fails.
pub fn nft(netns: &Netns, arguments: &str, input: &str) -> String {
    let spawn = || {
        Command::new("nft")
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut child = netns.run(spawn).expect("inside").expect("nftables");
    let mut stdin = child.stdin.take().expect("piped");
    // one that says what is wrong may close its input early
    let _closed = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its end");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {arguments}: {words}\n{input}");
    String::from_utf8(output.stdout).expect("utf-8")
}

/// All elements of both tables, each with the comment that says whose it is.
pub fn elements(netns: &Netns) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for family in ["inet", "bridge"] {
        let listed = nft(netns, &format!("-j list table {family} bridgework"), "");
        let listed: Value = serde_json::from_str(&listed).expect("json");
        let items = listed["nftables"].as_array().expect("a list");
        let sets = items.iter().filter_map(|item| {
            let set = item.get("set").or(item.get("map"))?;
            Some((set["name"].as_str()?, set["elem"].as_array()?))
        });
        for (name, elements) in sets {
            for element in elements {
                lines.insert(format!("{family} {name} {}", element_text(element)));
            }
        }
    }
    lines
}

fn element_text(element: &Value) -> String {
    match element {
        Value::Array(pair) => match pair.as_slice() {
            [key, value] => {
                let (key, comment) = key_text(key);
                format!("{key} : {}{comment}", text(value))
            }
            _ => panic!("{element}"),
        },
        _ => {
            let (key, comment) = key_text(element);
            format!("{key}{comment}")
        }
    }
}

/// The key, and its comment behind a mark of its own.
fn key_text(key: &Value) -> (String, String) {
    match key.get("elem") {
        Some(element) => {
            let comment = element["comment"].as_str();
            let comment = comment.map(|comment| format!("  # {comment}"));
            (text(&element["val"]), comment.unwrap_or_default())
        }
        None => (text(key), String::new()),
    }
}

fn text(value: &Value) -> String {
    let joined = |values: &Value, by: &str| {
        let values = values.as_array().expect("a list").iter();
        values.map(text).collect::<Vec<_>>().join(by)
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => match object.iter().next() {
            Some((kind, inner)) => match kind.as_str() {
                "concat" => joined(inner, " . "),
                "range" => joined(inner, "-"),
                "prefix" => format!("{}/{}", text(&inner["addr"]), inner["len"]),
                "accept" | "drop" | "return" => kind.clone(),
                "goto" | "jump" => format!("{kind} {}", text(&inner["target"])),
                _ => panic!("{value}"),
            },
            None => panic!("{value}"),
        },
        _ => panic!("{value}"),
    }
}

/// A table as `nft` lists it, its sets without their elements.
pub fn bare_table(netns: &Netns, family: &str) -> String {
    let listed = nft(netns, &format!("list table {family} bridgework"), "");
    let mut bare = String::new();
    let mut is_inside = false;
    for line in listed.lines() {
        is_inside |= line.trim_start().starts_with("elements = {");
        if !is_inside {
            bare.push_str(line);
            bare.push('\n');
        }
        is_inside &= !line.ends_with('}');
    }
    bare
}
