//! How much a document may ask for, and how much of one is kept.

use std::time::Duration;

/// The bounds of documents and of their answers.
#[derive(Debug, Clone, Copy)]
pub struct DocumentLimits {
    /// The longest text, in bytes.
    pub bytes: usize,
    /// Names, values, punctuation and comments in a text.
    pub tokens: usize,
    /// How deep brackets may nest in a text, and selections after fragments are spread.
    pub nesting: usize,
    /// Operations and fragments of a document.
    pub definitions: usize,
    /// Spreads of fragments in a text.
    pub spreads: usize,
    /// Fields of all definitions, after fragments are spread.
    pub fields: usize,
    /// Aliases of all definitions, after fragments are spread.
    pub aliases: usize,
    /// Directives of one selection.
    pub directives: usize,
    /// How deep fields may nest, after fragments are spread.
    pub depth: usize,
    /// So many lists of introspection may not nest.
    pub introspection_lists: usize,
    /// What an operation may cost.
    pub cost: u64,
    /// Whether the schema tells about itself.
    pub introspection: bool,
    /// Whether the error for an unknown field names similar ones.
    pub suggestions: bool,
    /// What documents are kept in, in bytes.
    pub cache_bytes: u64,
    /// How many large documents are checked at once.
    pub checks: usize,
    /// The largest answer, in bytes.
    pub answer_bytes: usize,
    /// How long a query may take.
    pub timeout: Duration,
    /// What the answers of all shared subscriptions are kept in, in bytes.
    pub shared_bytes: u64,
}
