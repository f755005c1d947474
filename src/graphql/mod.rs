//! The API's schema: transport only. Resolvers parse, ask the engine, and dress the answer; they
//! know no rules. Expected refusals are data (`userErrors`); everything else is a top-level error
//! with `extensions.code`.

mod context;
mod error;
mod executor;
mod loaders;
mod mutation;
mod page;
pub mod price;
mod query;
mod rate;
mod scalar;
mod subscription;
mod types;

pub use context::{ClientAddress, Moment, Network, RequestId, Underway, asked_by};
pub use error::{Code, code_of, retry_after_seconds};
pub use executor::Schema;
pub use mutation::Mutation;
pub use query::Query;
pub use rate::{Limited, RateLimits, RateSettings};
pub use scalar::scalar_fault;
pub use subscription::Subscription;

use std::sync::Arc;

use async_graphql::{SchemaBuilder, ValidationMode, connection::Connection};
use chrono::{DateTime, Utc};

use crate::engine::Engine;
use types::{
    auction::Auction, bid::Bid, notification::Notification, order::Order, wallet::Transfer,
};

/// What the schema itself bounds. A document is checked before it comes here.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How deep selections may nest, after fragments are spread.
    pub nesting: usize,
    /// Whether the schema tells about itself.
    pub introspection: bool,
}

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query, Mutation::default(), Subscription)
        .register_output_type::<types::node::Node>()
        .override_output_type_description::<DateTime<Utc>>(
            "An instant as an RFC 3339 string, in UTC when it is sent: `2026-12-01T09:30:00Z`.",
        )
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
    // All rules were checked when the document came; only its variables differ from run to run.
    let mut builder = builder()
        .validation_mode(ValidationMode::Fast)
        .disable_suggestions()
        .limit_recursive_depth(limits.nesting + 1);
    if !limits.introspection {
        builder = builder.disable_introspection();
    }
    Schema::new(builder.data(engine).data(rates).finish())
}

/// The schema in the schema definition language, as it is committed in `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    use async_graphql::SDLExportOptions;
    builder().finish().sdl_with_options(
        SDLExportOptions::new()
            .prefer_single_line_descriptions()
            .use_space_ident()
            .include_specified_by(),
    )
}
