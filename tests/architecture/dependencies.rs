//! What the library depends on: few crates, no C but the engine of the feature `store`, nothing newer
//! than the oldest compiler that is promised.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

const MAX_CRATES: usize = 45;

/// The one crate that may be C, and that only the feature `store` brings: SQLite.
const C_OF_STORE: &str = "libsqlite3-sys";
/// What that feature may add.
const MAX_CRATES_OF_STORE: usize = 12;

/// All that is wrong with what `cargo metadata` says.
pub(crate) fn complaints(metadata: &Value) -> Vec<String> {
    let root = text(&metadata["resolve"]["root"]);
    let crates = normal_tree(metadata, root);
    println!("{} crates", crates.len() - 1);
    let promised = version(&package(metadata, root)["rust_version"]).expect("it is promised");
    let each = crates
        .iter()
        .flat_map(|id| complaints_about(metadata, id, promised));
    let mut complaints: Vec<String> = each.collect();
    let has_store = crates
        .iter()
        .any(|id| text(&package(metadata, id)["name"]) == C_OF_STORE);
    let most = MAX_CRATES + if has_store { MAX_CRATES_OF_STORE } else { 0 };
    if crates.len() - 1 > most {
        let many = format!("{} crates, more than {most}", crates.len() - 1);
        complaints.push(many);
    }
    complaints
}

/// What cargo says of the library with the features that this test is built with.
pub(crate) fn metadata() -> Value {
    let features = [
        ("serde", cfg!(feature = "serde")),
        ("store", cfg!(feature = "store")),
        ("tracing", cfg!(feature = "tracing")),
    ];
    let features = features.iter().filter_map(|(name, on)| on.then_some(*name));
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--features",
        ])
        .arg(features.collect::<Vec<_>>().join(","))
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    serde_json::from_slice(&output.stdout).expect("cargo prints json")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn package<'a>(metadata: &'a Value, id: &str) -> &'a Value {
    let mut packages = array(&metadata["packages"]).iter();
    packages
        .find(|package| package["id"] == id)
        .expect("cargo lists what it resolved")
}

fn edges<'a>(metadata: &'a Value, id: &str) -> &'a [Value] {
    let mut nodes = array(&metadata["resolve"]["nodes"]).iter();
    nodes
        .find(|node| node["id"] == id)
        .map_or(&[], |node| array(&node["deps"]))
}

/// Whether the dependency is one of this kind: `null` for those that are linked.
fn is_kind(edge: &Value, kind: &Value) -> bool {
    array(&edge["dep_kinds"])
        .iter()
        .any(|each| each["kind"] == *kind)
}

/// The ids of `root` and of all that it is linked with or expanded by.
fn normal_tree(metadata: &Value, root: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(id) = open.pop() {
        let normal = edges(metadata, &id)
            .iter()
            .filter(|edge| is_kind(edge, &Value::Null));
        open.extend(
            normal
                .map(|edge| text(&edge["pkg"]).to_owned())
                .filter(|id| !found.contains(id)),
        );
        found.insert(id);
    }
    found
}

fn complaints_about(metadata: &Value, id: &str, promised: [u32; 3]) -> Vec<String> {
    let package = package(metadata, id);
    let name = text(&package["name"]);
    let mut complaints = Vec::new();
    if let Some(needed) = version(&package["rust_version"]).filter(|needed| *needed > promised) {
        complaints.push(format!(
            "{name} needs Rust {needed:?}, and {promised:?} is promised"
        ));
    }
    if name == C_OF_STORE {
        if !cfg!(feature = "store") {
            complaints.push(format!("{name} without the feature store"));
        }
        return complaints;
    }
    if !package["links"].is_null() {
        complaints.push(format!("{name} links {}", package["links"]));
    }
    let builds = edges(metadata, id)
        .iter()
        .filter(|edge| is_kind(edge, &"build".into()));
    if builds.into_iter().any(|edge| edge["name"] == "cc") {
        complaints.push(format!("{name} is built with a C compiler"));
    }
    complaints
}

fn version(value: &Value) -> Option<[u32; 3]> {
    let mut parts = value
        .as_str()?
        .split('.')
        .map(|part| part.parse().unwrap_or(0));
    Some([(); 3].map(|()| parts.next().unwrap_or(0)))
}
