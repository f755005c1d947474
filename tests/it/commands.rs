//! The commands as operators run them: the real program, its exit codes and what it says.

mod auditing;
mod currency;
#[cfg(feature = "demo")]
mod demo;
mod serving;
mod settings;

use std::net::TcpListener;

use neighborbid::store::users;
use serde_json::json;

use crate::support::{
    api::{Client, PASSWORD},
    binary::{Ended, Server, run, run_in},
    on_both,
};

/// The address of a database that nobody serves, with a password in it.
fn nobodys_database() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("postgres://neighbor:hunter42@127.0.0.1:{port}/bids")
}

/// The one line on standard error with which a command failed.
fn failure(ended: &Ended) -> &str {
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{}", ended.err);
    let mut lines = ended.err.lines();
    let line = lines.next().unwrap().strip_prefix("neighborbid: ");
    assert_eq!(lines.next(), None, "one line: {}", ended.err);
    line.unwrap_or_else(|| panic!("{}", ended.err))
}

#[test]
fn wrong_usage_exits_2_and_says_so_on_standard_error() {
    for args in [
        &[][..],
        &["nonsense"],
        &["--nonsense"],
        &["admin"],
        &["admin", "grant"],
        &["migrate", "--nonsense"],
        &["schema", "--database-url"],
        &["schema", "--log-format", "xml"],
        &["schema", "--log", "warn,=debug=what"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--payments", "maybe"],
        &["serve", "--rate-limit", "perhaps"],
        &["serve", "--currency", "won"],
        &["serve", "--currency", "ABC"],
        &["serve", "--currency", "XAU"],
        &["serve", "--currency-digits", "9"],
        &["serve", "--increments", "10000:500,5000:1000,1"],
        &["serve", "--increments", "0"],
        &["serve", "--fee-basis-points", "10001"],
        &["serve", "--write-connections", "0"],
        &["serve", "--bids-per-second", "0"],
    ] {
        // Were it right, it would fail otherwise.
        let ended = run_in(args, &[("DATABASE_URL", "mysql://localhost/bids")]);
        assert_eq!(ended.code, Some(2), "{args:?}: {}", ended.err);
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{args:?}");
    }
}

#[test]
fn help_and_version_are_no_failures() {
    for args in [&["--help"][..], &["--version"], &["serve", "--help"], &["help", "audit"]] {
        let ended = run_in(args, &[("DATABASE_URL", "postgres://u:hunter42@h/d")]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.out.contains("neighborbid"), "{args:?}: {}", ended.out);
        assert!(!ended.out.contains("hunter42"), "{args:?}: {}", ended.out);
    }
}

#[test]
fn a_database_that_cannot_be_used_is_one_clear_line_without_its_password() {
    let folder = std::env::temp_dir().join("no such folder");
    let no_folder = format!("sqlite://{}/house.db?mode=rwc", folder.display());
    let no_file = format!("sqlite://{}/no.such.file.db", std::env::temp_dir().display());
    let silent = nobodys_database();
    for (url, said) in [
        ("mysql://neighbor:hunter42@localhost/bids", "must begin with sqlite: or postgres:"),
        ("hunter42", "must begin with sqlite: or postgres:"),
        ("", "must begin with sqlite: or postgres:"),
        ("sqlite::memory:", "in-memory"),
        (&no_folder, "unable to open database file"),
        (&no_file, "unable to open database file"),
        (&silent, "the database does not answer"),
        ("postgres://neighbor:hunter42@127.0.0.1:port/bids", "malformed"),
        ("postgres://neighbor:hunter 42@/?sslmode=hunter42", "malformed"),
        ("postgres://neighbor:hunter42@no.such.host.invalid/bids", "lookup"),
    ] {
        for command in [&["audit"][..], &["migrate"], &["serve", "--listen", "127.0.0.1:0"]] {
            let mut args = command.to_vec();
            args.extend(["--database-url", url, "--acquire-timeout-seconds", "1"]);
            let ended = run(&args);
            assert!(failure(&ended).contains(said), "{args:?}: {}", ended.err);
            assert!(!ended.err.contains("hunter"), "{args:?}: {}", ended.err);
        }
    }
}

on_both! {
    async fn an_address_that_is_taken_is_one_clear_line(db: &TestDatabase) {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let args = ["serve", "--listen", &address, "--log", "warn", "--database-url", &db.url];
        let ended = run(&args);
        let expected = format!("cannot listen on {address}: ");
        assert!(failure(&ended).starts_with(&expected), "{}", ended.err);
    }

    async fn migrate_brings_an_empty_database_up_once_and_tells_its_status(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        let ask = |more: &[&str]| {
            let mut args = vec!["migrate", "--database-url", &new.url];
            args.extend(more);
            let ended = run(&args);
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            ended.out
        };
        let before = ask(&["--status"]);
        assert!(before.lines().count() >= 9, "{before}");
        assert!(before.lines().all(|line| line.starts_with("pending  m0")), "{before}");
        assert_eq!(ask(&["--status"]), before, "looking changes nothing");
        let after = before.replace("pending  ", "applied  ");
        assert_eq!(ask(&[]), after);
        assert_eq!(ask(&[]), after, "a second time is nothing");
        assert_eq!(ask(&["--status"]), after);
        new.finish().await;
    }

    async fn a_command_on_a_database_without_tables_fails_in_one_line(db: &TestDatabase) {
        let new = database::empty(db.is_postgres()).await;
        for args in [&["audit"][..], &["admin", "grant", "somebody"]] {
            let mut args = args.to_vec();
            args.extend(["--database-url", &new.url]);
            let ended = run(&args);
            assert!(!failure(&ended).is_empty());
        }
        assert_eq!(run(&["migrate", "--database-url", &new.url]).code, Some(0));
        new.finish().await;
    }

    async fn admin_grant_makes_an_admin_of_a_user_that_exists(db: &TestDatabase) {
        let server = Server::start(&db.url, &[]);
        let client = Client::of(&server.address);
        let mina = client.sign_up("Mina", None).await;
        let ann = client.sign_up("ann", None).await.id().await;
        let input = json!({ "amount": 5_000, "idempotencyKey": "k", "user": ann });
        for field in ["depositToWallet", "withdrawFromWallet"] {
            let before = mina.mutate(field, input.clone(), "wallet { available }").await;
            assert_eq!(before.code(), Some("FORBIDDEN"), "{}", before.text);
            let own = json!({ "amount": 5_000, "idempotencyKey": "k" });
            let own = mina.mutate(field, own, "wallet { available }").await;
            assert_eq!(own.code(), Some("FORBIDDEN"), "{}", own.text);
        }

        let unknown = run(&["admin", "grant", "nobody", "--database-url", &db.url]);
        assert!(failure(&unknown).contains("nobody"), "{}", unknown.err);
        let granted = run(&["admin", "grant", "MINA", "--database-url", &db.url]);
        assert_eq!(granted.code, Some(0), "{}", granted.err);
        assert!(granted.out.contains("is an admin"), "{}", granted.out);
        let opened = db.open().await;
        for (name, is_admin) in [("mina", true), ("ann", false)] {
            let account = users::by_username(&opened.read, name).await.unwrap().unwrap();
            assert_eq!(account.is_admin, is_admin, "{name}");
        }
        opened.close().await;

        let after = mina.mutate("depositToWallet", input, "wallet { available }").await;
        assert_eq!(after.text_at("/data/done/wallet/available"), "5000");
        server.stop();
    }

    async fn a_flag_wins_over_a_variable_and_a_variable_over_the_default(db: &TestDatabase) {
        let variables = [
            ("DATABASE_URL", db.url.as_str()),
            ("NEIGHBORBID_PAYMENTS", "simulated"),
            ("NEIGHBORBID_LISTEN", "127.0.0.1:0"),
            ("NEIGHBORBID_CURRENCY", "USD"),
            ("NEIGHBORBID_CURRENCY_DIGITS", "2"),
        ];
        assert_eq!(run_in(&["migrate", "--status"], &variables).code, Some(0));
        let broken = [("DATABASE_URL", "mysql://localhost/bids")];
        assert_eq!(run_in(&["audit"], &broken).code, Some(1));
        assert_eq!(run_in(&["audit", "--database-url", &db.url], &broken).code, Some(0));

        let ask = "{ marketplace { currency currencyDigits } }";
        // A database has one currency.
        let new = database::empty(db.is_postgres()).await;
        for (url, flags, currency, may) in [
            (&db.url, &[][..], "USD", None),
            (&new.url, &["--currency", "EUR", "--payments", "admin"], "EUR", Some("FORBIDDEN")),
        ] {
            let server = Server::starting(url, flags, &variables).ready();
            let client = Client::of(&server.address);
            assert_eq!(client.ask(ask).await.text_at("/data/marketplace/currency"), currency);
            let who = client.sign_up(currency, None).await;
            let input = json!({ "amount": "0.01", "idempotencyKey": "k" });
            let reply = who.mutate("depositToWallet", input, "wallet { available }").await;
            assert_eq!(reply.code(), may, "{}", reply.text);
            server.stop();
        }
        new.finish().await;
    }
}

#[test]
fn schema_prints_the_committed_schema_and_needs_no_database() {
    let broken = [("DATABASE_URL", "mysql://localhost/bids")];
    let ended = run_in(&["schema"], &broken);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out == include_str!("../../schema.graphql"), "run: neighborbid schema");
    assert!(!ended.out.contains(PASSWORD));
}
