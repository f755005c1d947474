//! What the targets share: the readers of clients' input, within the server's default limits.

use std::sync::LazyLock;

use clap::{Args, Command, FromArgMatches};
use neighborbid::{config::DocumentConfig, http::fuzzing::Readers};

/// The readers.
pub static READERS: LazyLock<Readers> = LazyLock::new(|| {
    let flags = DocumentConfig::augment_args(Command::new("fuzz")).get_matches_from(["fuzz"]);
    let limits = DocumentConfig::from_arg_matches(&flags).expect("the defaults are settings");
    Readers::new(limits.gate()).expect("the schema is one")
});
