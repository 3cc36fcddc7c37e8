//! Texts that a person has read, in files.

use std::fs;
use std::path::PathBuf;

pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rulesets/golden")
}

/// Panics with both if the file does not say this.
pub fn check(name: &str, actual: &str) {
    let path = directory().join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).expect("write the golden file");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let how = "if this is meant: UPDATE_GOLDEN=1 cargo test --test rulesets";
    assert!(
        expected == actual,
        "{name}.txt says\n{expected}\nand the kernel has\n{actual}\n{how}"
    );
}
