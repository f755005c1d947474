//! The API over HTTP, as front ends use it: what is refused and how, what nobody else sees, how
//! lists page, and what a fault of ours shows.

mod auctions;
mod documents;
mod faults;
mod lists;
mod pages;
mod privacy;
mod session_ends;
mod sessions;
mod shared;
mod wallets;

use neighborbid::app::House;

use crate::support::{
    TestDatabase,
    api::{Client, house},
};

/// A house with these flags, and somebody who is not signed in.
async fn open(db: &TestDatabase, flags: &[&str]) -> (House, Client) {
    let house = house(db, flags).await;
    let client = Client::of(house.address);
    (house, client)
}
