//! HTTP: the router, GraphQL over POST and GET, the WebSocket, GraphiQL, health and metrics.

mod body;
mod documents;
mod doors;
mod execution;
mod graphiql;
mod health;
mod media;
mod message;
mod operations;
mod origin;
mod response;
mod router;
mod shared;
mod sign_in;
mod socket;
mod sockets;
mod sse;
mod upgrade;
mod variables;

pub use documents::DocumentLimits;
pub use doors::{Doors, Peer};
pub use origin::Origins;
pub use router::{App, HttpSettings, router};
pub use socket::{LAST_WORDS, SocketSettings};
