//! The API's types, one file a type or a family.

pub mod auction;
pub mod bid;
pub mod category;
pub mod enums;
pub mod marketplace;
pub mod node;
pub mod notification;
pub mod order;
pub mod region;
pub mod update;
pub mod user;
pub mod user_error;
pub mod viewer;
pub mod wallet;
