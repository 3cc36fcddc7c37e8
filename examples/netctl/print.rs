//! What is printed for whoever may have stopped reading.

use std::fmt;
use std::io::{self, Write};

/// One line on stdout. Nobody need be there to read it.
pub(crate) fn say(line: impl fmt::Display) {
    let _nobody_reads = writeln!(io::stdout().lock(), "{line}");
}

/// As JSON, for people.
pub(crate) fn say_json(value: &impl serde::Serialize) -> crate::failure::Outcome {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}
