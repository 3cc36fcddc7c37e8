//! Holds the laws of the source tree, by reading it: who may use whom, how large a file or a function
//! may be, which words and which effects may not be there, what examples show, and what is depended on.
//!
//! Each check is a function from sources to complaints; `violations` shows that it can complain.

mod dependencies;
mod effects;
mod layers;
mod shown;
mod sizes;
mod source;
mod violations;
mod words;

use source::Source;

fn nothing_to_say(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_file_belongs_to_a_layer() {
    nothing_to_say(layers::unplaced(&Source::all()));
}

#[test]
fn modules_use_only_what_stands_above_them() {
    nothing_to_say(layers::upward_arrows(&Source::all()));
}

#[test]
fn decisions_touch_no_socket_file_clock_or_thread() {
    nothing_to_say(effects::in_pure_layers(&Source::all()));
}

#[test]
fn there_is_no_subprocess_environment_signal_handler_or_global_state() {
    nothing_to_say(effects::forbidden_everywhere(&Source::all()));
}

#[test]
fn unsafe_code_is_forbidden() {
    let sources = Source::all();
    nothing_to_say(effects::unsafe_beyond_one_file(&sources));
    let front = sources.iter().find(|source| source.path == "lib.rs");
    let front = front.expect("the library has a front");
    assert!(front.code.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn files_have_at_most_500_lines_and_half_of_them_200() {
    nothing_to_say(sizes::long_files(&Source::all()));
}

#[test]
fn functions_have_at_most_70_lines_and_half_of_them_10() {
    nothing_to_say(sizes::long_functions(&Source::all()));
}

#[test]
fn decisions_outweigh_effects() {
    nothing_to_say(sizes::heavy_effects(&Source::all()));
}

#[test]
fn no_name_is_one_that_says_nothing() {
    nothing_to_say(words::empty_names(&Source::all()));
}

#[test]
fn nothing_is_left_for_later() {
    nothing_to_say(words::leftovers(&Source::all()));
}

#[test]
fn every_file_says_first_what_it_is_for() {
    nothing_to_say(words::without_heading(&Source::all()));
}

#[test]
fn every_public_method_is_in_an_example_on_its_types_page() {
    nothing_to_say(shown::methods_without_example(&Source::all()));
}

#[test]
fn dependencies_are_few_pure_rust_and_as_old_as_the_minimum() {
    nothing_to_say(dependencies::complaints(&dependencies::metadata()));
}
