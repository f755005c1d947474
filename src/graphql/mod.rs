//! The API's schema: transport only. Resolvers parse, ask the engine, and dress the answer; they
//! know no rules. Expected refusals are data (`userErrors`); everything else is a top-level error
//! with `extensions.code`.

mod context;
mod error;
mod loaders;
mod mutation;
mod page;
mod query;
mod rate;
mod scalar;
mod subscription;
mod types;

pub use context::{ClientAddress, Moment, Network, RequestId, asked_by};
pub use error::{Code, code_of, retry_after_seconds};
pub use mutation::Mutation;
pub use query::Query;
pub use rate::{Limited, RateLimits, RateSettings};
pub use subscription::Subscription;

use std::sync::Arc;

use async_graphql::{SchemaBuilder, connection::Connection, dataloader::DataLoader};

use crate::engine::Engine;
use types::{
    auction::Auction, bid::Bid, notification::Notification, order::Order, wallet::Transfer,
};

/// The one schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// What a document may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How deep fields may nest.
    pub depth: usize,
    /// What the fields may cost in all; a page's fields count once a row.
    pub complexity: usize,
    /// How many directives a field may carry.
    pub directives: usize,
    /// Whether an unknown field's error names similar ones.
    pub suggestions: bool,
}

/// How deep the parser follows selections before it gives up.
const PARSER_DEPTH: usize = 32;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query, Mutation::default(), Subscription)
        .register_output_type::<types::node::Node>()
        .override_output_type_description::<Connection<String, Auction>>("A page of auctions.")
        .override_output_type_description::<Connection<String, Bid>>("A page of bids.")
        .override_output_type_description::<Connection<String, Transfer>>("A page of transfers.")
        .override_output_type_description::<Connection<String, Order>>("A page of orders.")
        .override_output_type_description::<Connection<String, Notification>>(
            "A page of notifications.",
        )
}

/// The schema over an engine.
#[must_use]
pub fn schema(engine: Arc<Engine>, rates: Arc<RateLimits>, limits: Limits) -> Schema {
    let loader = loaders::Loader(Arc::clone(&engine));
    let mut builder = builder()
        .limit_depth(limits.depth)
        .limit_complexity(limits.complexity)
        .limit_recursive_depth(PARSER_DEPTH)
        .limit_directives(limits.directives);
    if !limits.suggestions {
        builder = builder.disable_suggestions();
    }
    builder.data(DataLoader::new(loader, tokio::spawn)).data(engine).data(rates).finish()
}

/// The schema in the schema definition language, as it is committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    use async_graphql::SDLExportOptions;
    builder().finish().sdl_with_options(SDLExportOptions::new().prefer_single_line_descriptions())
}
