//! The currency of a database: what its first start says, and nothing else from then on.

use serde_json::json;

use super::failure;
use crate::support::{
    api::Client,
    binary::{Server, run},
    on_both,
};

const SIMULATED: [&str; 2] = ["--payments", "simulated"];

/// What `serve` says that does not start.
fn refusal(url: &str, flags: &[&str]) -> String {
    let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--database-url", url];
    args.extend(flags);
    failure(&run(&args)).to_owned()
}

on_both! {
    async fn a_database_keeps_the_currency_of_its_first_start(db: &TestDatabase) {
        let server = Server::start(&db.url, &SIMULATED);
        let mina = Client::of(&server.address).sign_up("mina", None).await;
        mina.deposit(90_000).await;
        let token = mina.token.clone();
        server.stop();
        for flags in [
            &["--currency", "USD"][..],
            &["--currency", "USD", "--currency-digits", "2"],
            &["--currency", "JPY"],
        ] {
            let said = refusal(&db.url, flags);
            assert!(said.contains("KRW with 0") && said.contains(flags[1]), "{said}");
        }
        let server = Server::start(&db.url, &[&SIMULATED[..], &["--currency", "KRW"]].concat());
        let mina = Client::of(&server.address).with_token(token.as_deref());
        let wallet = mina.ask("{ viewer { wallet { available } } }").await;
        assert_eq!(wallet.text_at("/data/viewer/wallet/available"), "90000");
        server.stop();
    }

    async fn digits_and_steps_are_the_currencys_own(db: &TestDatabase) {
        let said = refusal(&db.url, &["--currency", "USD", "--currency-digits", "0"]);
        assert!(said.contains("USD has 2") && said.contains("--currency-digits"), "{said}");
        let server = Server::start(&db.url, &[&SIMULATED[..], &["--currency", "USD"]].concat());
        let client = Client::of(&server.address);
        let seller = client.sign_up("seller", None).await;
        let prices = json!({ "startingPrice": "12.50", "buyNowPrice": "13.30" });
        let lamp = seller.list(prices).await;
        let mina = client.sign_up("mina", None).await;
        mina.deposit(100).await;
        let input = json!({ "auctionId": lamp, "amount": "12.50" });
        let state = "auction { currentPrice minimumBid }";
        for (amount, minimum) in [("12.50", "13.00"), ("13.00", "13.30")] {
            let mut input = input.clone();
            input["amount"] = amount.into();
            let reply = mina.mutate("placeBid", input, state).await;
            assert_eq!(reply.refusals(), [""; 0]);
            assert_eq!(reply.text_at("/data/done/auction/minimumBid"), minimum);
        }
        let asked = client.ask("{ marketplace { currencyDigits increments { increment } } }").await;
        assert_eq!(asked.at("/data/marketplace/currencyDigits"), 2);
        assert_eq!(asked.text_at("/data/marketplace/increments/0/increment"), "0.05");
        server.stop();
    }

    async fn of_several_first_starts_one_currency_stays(db: &TestDatabase) {
        let starting = ["USD", "EUR"].map(|code| {
            let url = db.url.clone();
            tokio::task::spawn_blocking(move || {
                Server::starting(&url, &["--currency", code], &[]).outcome()
            })
        });
        let mut served = 0;
        for start in starting {
            if let Ok(server) = start.await.unwrap() {
                served += 1;
                server.stop();
            }
        }
        assert_eq!(served, 1);
    }
}
