//! Documents: what may be asked for at all, and what every answer carries.

use serde_json::json;

use super::open;
use crate::support::on_both;

on_both! {
    async fn what_asks_for_too_much_is_refused_before_it_runs(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let field = "auctions(first: 100) { nodes { bids(first: 100) { nodes { id } } } }";
        let deep = format!(
            "{{ auctions {{ nodes {{ {}id{} }} }} }}",
            "bids { nodes { auction { ".repeat(5),
            " } } }".repeat(5)
        );
        let aliases: String = (0..31).map(|n| format!("a{n}: __typename ")).collect();
        let directives = "@include(if: true) ".repeat(6);
        let bomb = "fragment a on Query { ...b ...b } fragment b on Query { ...c ...c }
            fragment c on Query { ...d ...d } fragment d on Query { ...e ...e }
            fragment e on Query { ...f ...f } fragment f on Query { ...g ...g }
            fragment g on Query { ...h ...h } fragment h on Query { ...i ...i }
            fragment i on Query { ...j ...j } fragment j on Query { __typename __typename }";
        for (what, document) in [
            ("aliases", format!("{{ {aliases} }}")),
            ("depth", deep),
            ("cost", format!("{{ {field} }}")),
            ("fields", format!("{{ {} }}", "__typename ".repeat(1_001))),
            ("directives", format!("{{ __typename {directives} }}")),
            ("a bomb of fragments", format!("{{ ...a }} {bomb}")),
            ("a cycle", "{ ...a } fragment a on Query { ...a }".to_owned()),
            ("brackets", format!("{{ a(b: {}1{}) }}", "[".repeat(70), "]".repeat(70))),
            ("nothing", String::new()),
            ("no document", "{".to_owned()),
            ("an unknown operation", "query a { __typename } query b { __typename }".to_owned()),
        ] {
            let reply = client.ask(&document).await;
            assert_eq!((reply.status, reply.code()), (200, Some("BAD_USER_INPUT")), "{what}");
            assert!(reply.body.get("data").is_none(), "{what}: {}", reply.text);
            assert!(reply.text.len() < 2_000, "{what}: {}", reply.text);
        }
        let reply = client.ask(&" ".repeat(70_000)).await;
        assert_eq!((reply.status, reply.code()), (413, Some("BAD_USER_INPUT")));
        // The most that is allowed.
        let aliases: String = (0..30).map(|n| format!("a{n}: __typename ")).collect();
        assert!(client.ask(&format!("{{ {aliases} }}")).await.code().is_none());
        house.close().await.unwrap();
    }

    async fn the_limits_of_documents_are_settings(db: &TestDatabase) {
        let flags = ["--depth", "3", "--aliases", "1", "--fields", "5", "--complexity", "100"];
        let (house, client) = open(db, &flags).await;
        for (document, fits) in [
            ("{ a: __typename }", true),
            ("{ a: __typename b: __typename }", false),
            ("{ viewer { user { id } } }", true),
            ("{ viewer { user { homeRegion { id } } } }", false),
            ("{ __typename __typename __typename __typename __typename }", true),
            ("{ __typename __typename __typename __typename __typename __typename }", false),
            ("{ auctions(first: 5) { nodes { id } } }", true),
            ("{ auctions(first: 50) { nodes { id } } }", false),
        ] {
            let reply = client.ask(document).await;
            assert_eq!(reply.code().is_none(), fits, "{document}: {}", reply.text);
        }
        house.close().await.unwrap();
    }

    async fn unknown_fields_are_refused_and_names_not_suggested(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        for document in [
            "{ auctionz { nodes { id } } }",
            "{ auctions { nodes { reservePrice } } }",
            "{ auctions(nonsense: 1) { nodes { id } } }",
            "{ auction { id } }",
            "{ viewer }",
            "{ marketplace { currency { code } } }",
            "mutation { placeBid(input: { amount: 1 }) { bid { id } } }",
            "mutation { placeBid(input: { auctionId: \"\", amount: 1, bid: 1 }) { bid { id } } }",
            "query($id: ID) { auction(id: $id) { id } }",
            "query($x: Nonsense) { __typename }",
            "subscription { auctionUpdated(auctionId: \"x\") { sequence } }",
        ] {
            let reply = client.ask(document).await;
            assert_eq!((reply.status, reply.code()), (200, Some("BAD_USER_INPUT")), "{document}");
            assert!(reply.body.get("data").is_none(), "{document}: {}", reply.text);
            assert!(!reply.text.contains("Did you mean"), "{document}: {}", reply.text);
        }
        house.close().await.unwrap();

        let (house, client) = open(db, &["--suggestions"]).await;
        let reply = client.ask("{ auctionz { nodes { id } } }").await;
        assert!(reply.text.contains("auctions"), "{}", reply.text);
        house.close().await.unwrap();
    }

    async fn a_body_that_is_no_request_is_a_bad_one(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        for body in [
            "", "{", "null", "[]", "1", "\"{ __typename }\"", "{}",
            r#"[{"query":"{ __typename }"}]"#,
            r#"{"query":5}"#,
            r#"{"query":null}"#,
            r#"{"query":"{ __typename }","variables":[]}"#,
            r#"{"query":"{ __typename }","variables":"{}"}"#,
            r#"{"query":"{ __typename }","operationName":5}"#,
            r#"{"query":"{ __typename }","extensions":5}"#,
        ] {
            let reply = client.post(body.to_owned()).await.unwrap();
            assert_eq!((reply.status, reply.code()), (400, Some("BAD_USER_INPUT")), "{body}");
        }
        let body = json!({ "query": "{ __typename }", "variables": null, "unknown": 1 });
        let reply = client.post(body.to_string()).await.unwrap();
        assert_eq!(reply.body, json!({ "data": { "__typename": "Query" } }));
        house.close().await.unwrap();
    }

    async fn every_answer_has_a_request_id_of_its_own(db: &TestDatabase) {
        let (house, client) = open(db, &[]).await;
        let who = client.sign_up("mina", None).await;
        let mut seen = std::collections::HashSet::new();
        for reply in [
            client.ask("{ __typename }").await,
            client.ask("{ nonsense }").await,
            client.ask("{").await,
            client.post("nonsense".to_owned()).await.unwrap(),
            client.with_token(Some("dead")).ask("{ __typename }").await,
            who.ask("{ viewer { user { id } } }").await,
        ] {
            let id = reply.headers.get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
            let id = id.unwrap_or_else(|| panic!("no request id: {}", reply.text));
            assert_eq!(id.len(), 32);
            assert!(seen.insert(id));
            assert_eq!(reply.headers["cache-control"], "no-store");
            assert_eq!(reply.headers["x-content-type-options"], "nosniff");
        }
        house.close().await.unwrap();
    }
}
