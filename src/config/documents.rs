//! Settings of what documents may ask for, and of what is kept of them.

use std::time::Duration;

use clap::Args;

use super::Switch;
use crate::{graphql::Limits, http::DocumentLimits};

/// What documents may ask for.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Documents")]
pub struct DocumentConfig {
    /// The longest document, in bytes
    #[arg(long, env = "NEIGHBORBID_DOCUMENT_BYTES", default_value_t = 32_768)]
    pub document_bytes: usize,

    /// How many tokens a document may have: names, values, punctuation and comments
    #[arg(long, env = "NEIGHBORBID_TOKENS", default_value_t = 5_000)]
    pub tokens: usize,

    /// How deep a document's brackets may nest, and its selections after fragments are spread
    #[arg(long, env = "NEIGHBORBID_NESTING", default_value_t = 64,
        value_parser = clap::value_parser!(u16).range(1..=128))]
    pub nesting: u16,

    /// How many operations and fragments a document may have
    #[arg(long, env = "NEIGHBORBID_DEFINITIONS", default_value_t = 100)]
    pub definitions: usize,

    /// How many times a document may spread fragments, counted where it says so
    #[arg(long, env = "NEIGHBORBID_SPREADS", default_value_t = 500)]
    pub spreads: usize,

    /// How deep a document's fields may nest, after fragments are spread
    #[arg(long, env = "NEIGHBORBID_DEPTH", default_value_t = 15)]
    pub depth: usize,

    /// How many aliases a document may have, after fragments are spread
    #[arg(long, env = "NEIGHBORBID_ALIASES", default_value_t = 30)]
    pub aliases: usize,

    /// How many fields a document may ask for, after fragments are spread
    #[arg(long, env = "NEIGHBORBID_FIELDS", default_value_t = 1_000)]
    pub fields: usize,

    /// How many directives may stand in one place
    #[arg(long, env = "NEIGHBORBID_DIRECTIVES", default_value_t = 5)]
    pub directives: usize,

    /// What an operation may cost: one for each value of its answer, with each page's rows
    /// multiplied in, 50 for a field of the root that reads the database, 20 for a page inside,
    /// 500 for a search by words, 40 for a description
    #[arg(long, env = "NEIGHBORBID_COMPLEXITY", default_value_t = 10_000)]
    pub complexity: u64,

    /// Whether the schema tells about itself
    #[arg(long, env = "NEIGHBORBID_INTROSPECTION", value_enum, default_value = "on")]
    pub introspection: Switch,

    /// So many lists of introspection (fields, interfaces, possibleTypes, inputFields) may not
    /// nest
    #[arg(long, env = "NEIGHBORBID_INTROSPECTION_LISTS", default_value_t = 3)]
    pub introspection_lists: usize,

    /// Name similar fields in errors about unknown ones: for development
    #[arg(long, env = "NEIGHBORBID_SUGGESTIONS")]
    pub suggestions: bool,

    /// What valid documents are kept in for those who send them again, in bytes
    #[arg(long, env = "NEIGHBORBID_DOCUMENT_CACHE_BYTES", default_value_t = 16 << 20)]
    pub document_cache_bytes: u64,

    /// How many large documents are checked at once
    #[arg(long, env = "NEIGHBORBID_DOCUMENT_CHECKS", default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub document_checks: u16,

    /// The largest answer, in bytes
    #[arg(long, env = "NEIGHBORBID_ANSWER_BYTES", default_value_t = 8 << 20)]
    pub answer_bytes: usize,

    /// How long a query may take; a mutation is let finish
    #[arg(long, env = "NEIGHBORBID_QUERY_TIMEOUT_SECONDS", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub query_timeout_seconds: u64,

    /// What the answers of all shared subscriptions are kept in, in bytes
    #[arg(long, env = "NEIGHBORBID_SHARED_ANSWER_BYTES", default_value_t = 32 << 20)]
    pub shared_answer_bytes: u64,
}

impl DocumentConfig {
    /// As the schema wants it.
    #[must_use]
    pub fn schema(&self) -> Limits {
        Limits { nesting: self.nesting.into(), introspection: self.introspection == Switch::On }
    }

    /// As the gate wants it.
    #[must_use]
    pub fn gate(&self) -> DocumentLimits {
        DocumentLimits {
            bytes: self.document_bytes,
            tokens: self.tokens,
            nesting: self.nesting.into(),
            definitions: self.definitions,
            spreads: self.spreads,
            fields: self.fields,
            aliases: self.aliases,
            directives: self.directives,
            depth: self.depth,
            introspection_lists: self.introspection_lists,
            cost: self.complexity,
            introspection: self.introspection == Switch::On,
            suggestions: self.suggestions,
            cache_bytes: self.document_cache_bytes,
            checks: self.document_checks.into(),
            answer_bytes: self.answer_bytes,
            timeout: Duration::from_secs(self.query_timeout_seconds),
            shared_bytes: self.shared_answer_bytes,
        }
    }
}
