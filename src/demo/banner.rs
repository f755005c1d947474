//! The welcome: what this is, where everything is, whom to be, and what to paste.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    folder::Folder,
    market::Market,
    people::Person,
    text::{escaped, left, right, width, won},
};
use crate::{
    domain::listing::AuctionView,
    engine::{Engine, Error},
};

/// How wide the first column is.
const LABEL: usize = 11;

/// Everything that a newcomer needs, in a few lines.
///
/// # Errors
/// When the database fails.
pub async fn welcome(
    engine: &Engine,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    folder: &Folder,
    market: &Market,
) -> Result<String, Error> {
    let host = reachable(address).to_string();
    let metrics = admin.map(|admin| format!("http://{}/metrics", reachable(admin)));
    let mut text = format!(
        "\nNeighborBid, a demo: {auctions} auctions, {people} made-up people, and bidders that \
         keep bidding.\nIt lives in the folder {folder} and begins afresh at each start.\n\n",
        auctions = market.auctions(),
        people = market.people().len(),
        folder = folder.path().display(),
    );
    for (what, at) in [
        ("Playground", format!("http://{host}/graphiql")),
        ("GraphQL", format!("http://{host}/graphql")),
        ("", format!("ws://{host}/graphql (graphql-transport-ws)")),
        ("Health", format!("http://{host}/readyz")),
        ("Metrics", metrics.unwrap_or_else(|| "off".to_owned())),
    ] {
        text += &format!("  {} {at}\n", left(what, LABEL));
    }
    text += "\n";
    text += &accounts(engine, market.people()).await?;
    if let (Some(bidder), Some(example)) = (market.people().first(), market.example()) {
        text += &watch(&host, example);
        text += &bid(&host, bidder, example);
    }
    text += "\nCtrl-C stops it.\n\n";
    Ok(text)
}

/// An address that a browser on this machine reaches.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// A table of those whom a newcomer may be.
async fn accounts(engine: &Engine, people: &[Person]) -> Result<String, Error> {
    let mut rows = vec![["Account", "Password", "Home", "Available"].map(str::to_owned)];
    for person in people {
        let Some(password) = person.password else {
            continue;
        };
        let user = &person.session.user;
        let home = user.home_region.as_ref();
        let home = home.and_then(|home| engine.places().region(home));
        rows.push([
            user.username.clone(),
            password.to_owned(),
            home.map(|home| home.full_name.clone()).unwrap_or_default(),
            won(engine.balances(user.id).await?.available),
        ]);
    }
    let wide = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or_default()
    };
    let wide = [wide(0), wide(1), wide(2), wide(3)];
    let lines = rows.iter().map(|[account, password, home, available]| {
        format!(
            "  {}  {}  {}  {}\n",
            left(account, wide[0].max(LABEL)),
            left(password, wide[1]),
            left(home, wide[2]),
            right(available, wide[3]),
        )
    });
    Ok(lines.collect())
}

/// A subscription to paste, and the same as a link.
fn watch(host: &str, example: &AuctionView) -> String {
    let document = format!(
        "subscription {{\n  auctionUpdated(auctionId: \"{id}\") {{\n    sequence kind\n    \
         bid {{ amount isAutomatic bidder {{ username }} }}\n    \
         auction {{ currentPrice endsAt }}\n  }}\n}}\n",
        id = example.listing.id,
    );
    format!(
        "\nWatch an auction ({title}) in the playground:\n\n{pasted}\n  \
         http://{host}/graphiql#query={linked}\n",
        title = example.listing.title,
        pasted = document.lines().map(|line| format!("  {line}\n")).collect::<String>(),
        linked = escaped(document.as_bytes(), b"").replace("%20", "+"),
    )
}

/// A command that asks for the least bid and places it: it works as often as it is pasted.
const BID: &str = concat!(
    r#"curl -sw '\n' <URL> -H 'content-type: application/json' "#,
    r#"-H 'authorization: Bearer <TOKEN>' "#,
    r#"-d '{"query":"mutation{placeBid(input:{auctionId:\"<ID>\",amount:'$("#,
    r#"curl -s <URL> -H 'content-type: application/json' "#,
    r#"-d '{"query":"{node(id:\"<ID>\"){...on Auction{minimumBid}}}"}' | tr -dc 0-9"#,
    r#")'}){auction{currentPrice leader{username}}userErrors{code message}}}"}'"#,
);

fn bid(host: &str, bidder: &Person, example: &AuctionView) -> String {
    let command = BID
        .replace("<URL>", &format!("http://{host}/graphql"))
        .replace("<TOKEN>", bidder.token.reveal())
        .replace("<ID>", &example.listing.id.to_string());
    format!(
        "\nBid on it as {name}, the least that counts at the moment, as often as you like:\n\n  \
         {command}\n",
        name = bidder.session.user.username,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_everybody_is_reached_on_this_machine() {
        for (bound, reached) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:80", "[::1]:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
        ] {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), reached);
        }
    }
}
