//! HTTP: the listener, the router, GraphQL over POST and GET, the WebSocket, GraphiQL, health and
//! metrics.

mod body;
mod client_address;
mod connection_limits;
mod connections;
mod documents;
mod execution;
mod executor;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod graphiql;
mod guard;
mod health;
mod json;
mod listener;
mod media;
mod message;
mod operations;
mod origin;
mod request_id;
mod response;
mod router;
mod shared;
mod sign_in;
mod socket;
mod sockets;
mod sse;
mod stock;
mod stream;
mod upgrade;
mod variables;

pub use connection_limits::{ConnectionLimits, system_connections};
pub use connections::Connections;
pub use documents::DocumentLimits;
pub use executor::{Executor, SocketPlace};
pub use guard::guard;
pub use listener::Listener;
pub use origin::{Origin, Origins};
pub use router::{App, HttpSettings, admin_router, router};
pub use socket::{LAST_WORDS, SocketSettings};
pub use stock::stock_routes;
