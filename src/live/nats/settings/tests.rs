//! What is taken of addresses and files, and that no error and no `Debug` tells what is secret.

use super::*;

fn urls(urls: &str) -> Given {
    Given { urls: Some(urls.to_owned().into()), ..Given::default() }
}

fn sign_in(given: &Given) -> SignIn {
    given.checked().unwrap().unwrap().sign_in
}

fn refused(given: &Given) -> String {
    let error = given.checked().unwrap_err();
    assert!(!format!("{error:?} {error} {given:?}").contains("s3cr"), "{error:?} {given:?}");
    error.to_string()
}

fn password(user: &str, password: &str) -> SignIn {
    SignIn::Password(user.to_owned(), password.to_owned().into())
}

fn token(token: &str) -> SignIn {
    SignIn::Token(token.to_owned().into())
}

#[test]
fn names_passwords_and_tokens_of_addresses_are_decoded_and_taken_out() {
    for (url, bare, due) in [
        ("nats://h:4222", "nats://h:4222", SignIn::None),
        ("h", "nats://h", SignIn::None),
        ("tls://[::1]:4222/", "tls://[::1]:4222/", SignIn::None),
        ("nats://bob:s3cr%40t%2F@h:1", "nats://h:1", password("bob", "s3cr@t/")),
        ("nats://b%C3%B6b:x@h", "nats://h", password("böb", "x")),
        ("nats://s3cr%3At@h", "nats://h", token("s3cr:t")),
        ("nats://a:s3cr@h, tls://a:s3cr@i", "nats://h tls://i", password("a", "s3cr")),
    ] {
        let settings = urls(url).checked().unwrap().unwrap();
        let servers: Vec<_> = settings.servers.iter().map(ServerAddr::as_url_str).collect();
        assert_eq!((servers.join(" ").as_str(), &settings.sign_in), (bare, &due));
        assert!(!format!("{settings:?}").contains("s3cr"), "{url}");
    }
}

#[test]
fn malformed_addresses_are_refused_and_not_shown() {
    for url in [
        "",
        "nats://",
        "nats://:s3cr@h",
        "http://h",
        "ws://h",
        "nats://h/s3cr",
        "nats://s3cr/et@h",
        "nats://s3cr?et@h",
        "nats://s3cr#et@h",
        "nats://bob:s3cr/et@h",
        "nats://bob:s3cr%FF@h",
        "nats://bob:s3cr,et@h",
    ] {
        assert!(refused(&urls(url)).starts_with("a NATS address must look"), "{url}");
    }
    for url in ["nats://a:s3cr@h,nats://i", "nats://a:s3cr@h,nats://a:s3cret@i"] {
        assert!(refused(&urls(url)).starts_with("all NATS addresses must"), "{url}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let secret = || Some(Secret::from("s3cret s3cret s3cret".to_owned()));
    let bare = || urls("nats://h");
    let user = Some("bob".to_owned());
    let none = Given::default();
    let cases = [
        (Given { user: user.clone(), ..bare() }, "--nats-user needs --nats-password"),
        (Given { password: secret(), ..bare() }, "--nats-password needs --nats-user"),
        (Given { token: secret(), ..none.clone() }, "--nats-token needs --nats-url"),
        (Given { secret: secret(), ..none }, "--nats-secret needs --nats-url"),
        (
            Given { user, password: secret(), token: secret(), ..bare() },
            "NATS is signed in to in one way: --nats-user and --nats-token are given",
        ),
        (
            Given { token: secret(), ..urls("nats://s3cr@h") },
            "NATS is signed in to in one way: --nats-url's own and --nats-token are given",
        ),
        (
            Given { secret: Some("s3cret".to_owned().into()), ..bare() },
            "--nats-secret must have 16 bytes or more",
        ),
        (
            Given { nkey: secret(), ..bare() },
            "--nats-nkey is neither a user's seed (SU…) nor a file that holds one",
        ),
        (Given { key: Some("k".into()), ..bare() }, "--nats-key needs --nats-certificate"),
        (Given { certificate: Some("c".into()), ..bare() }, "--nats-certificate needs --nats-key"),
        (
            Given { ca: Some("Cargo.toml".into()), ..bare() },
            "--nats-ca: Cargo.toml holds no certificate",
        ),
        (
            Given { credentials: Some("Cargo.toml".into()), ..bare() },
            "--nats-credentials: Cargo.toml holds no user's JWT with its seed",
        ),
        (
            Given { ca: Some("none.pem".into()), ..bare() },
            "--nats-ca: none.pem: No such file or directory (os error 2)",
        ),
    ];
    for (given, due) in cases {
        assert_eq!(refused(&given), due);
    }
}

#[test]
fn a_seed_is_taken_as_it_is() {
    let seed = KeyPair::new_user().seed().unwrap();
    let given = Given { nkey: Some(seed.clone().into()), ..urls("nats://h") };
    assert_eq!(sign_in(&given), SignIn::NKey(seed.into()));
    // An account's is not a user's.
    let seed = KeyPair::new_account().seed().unwrap();
    refused(&Given { nkey: Some(seed.into()), ..urls("nats://h") });
}
