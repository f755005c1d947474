//! The house's order, held by tests and not by memory: who may know whom, what every file says of
//! itself, how long files, functions and lines may be, and that nothing shipped panics.

mod circles;
pub mod source;

use circles::{circles, ties};
use source::{Source, Token, is, places, sources};

/// Which modules of the crate each may name. Whoever is missing here may name none.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("telemetry", &[]),
    ("store", &["domain", "telemetry"]),
    ("live", &["domain", "store", "telemetry"]),
    ("engine", &["domain", "store", "live", "telemetry"]),
    ("graphql", &["domain", "engine", "telemetry"]),
    // Who asks, and whether the house is ready, is the engine's to say.
    ("http", &["engine", "graphql", "telemetry"]),
    ("audit", &["store"]),
    // Every setting, as the part that it is for wants it.
    ("config", &["domain", "store", "live", "engine", "graphql", "http"]),
    ("app", &["config", "store", "live", "engine", "graphql", "http", "telemetry"]),
    ("demo", &["app", "config", "domain", "store", "engine", "graphql"]),
];

/// Where files are held to be short and to say what they own.
const ALL: &[&str] =
    &["src", "entity/src", "migration/src", "tests/it", "fuzz/fuzz_targets", "fuzz/src"];

/// Files that may name more than their module: none for good reason, all to be got rid of.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Files that name each other in a circle today, all to be undone: whichever is undone must leave
/// this list. Two types of the API that are fields of each other may stay, if nothing else ties
/// their files.
const CIRCLES: &[&[&str]] = &[
    &["src/engine/accounts.rs", "src/engine/known_sessions.rs", "src/engine/session_watch.rs"],
    &["src/engine/batch.rs", "src/engine/docket.rs"],
    &[
        "src/graphql/context.rs",
        "src/graphql/error.rs",
        "src/graphql/rate.rs",
        "src/graphql/rate/sign_ins.rs",
    ],
    &["src/graphql/query.rs", "src/graphql/types/viewer.rs"],
    &["src/graphql/types/auction.rs", "src/graphql/types/bid.rs"],
    &[
        "src/http/body.rs",
        "src/http/client_address.rs",
        "src/http/execution.rs",
        "src/http/executor.rs",
        "src/http/health.rs",
        "src/http/operations.rs",
        "src/http/request_id.rs",
        "src/http/router.rs",
        "src/http/shared.rs",
        "src/http/socket.rs",
        "src/http/sse.rs",
        "src/http/upgrade.rs",
    ],
    &["src/http/connection_limits.rs", "src/http/connections.rs"],
    &[
        "src/store/connection.rs",
        "src/store/distrust.rs",
        "src/store/fault.rs",
        "src/store/files.rs",
        "src/store/probe.rs",
        "src/store/reader.rs",
    ],
    &["src/store/users.rs", "src/store/wallets.rs"],
];

/// Which crates the domain may name.
const DOMAINS: &[&str] = &[
    "chrono",
    "entity",
    "iso_currency",
    "precis_profiles",
    "rust_decimal",
    "serde",
    "unicode_normalization",
    "unicode_security",
];

/// What each may name of SeaORM; `entity`, `migration` and `store` may name all of it.
const OF_SEA_ORM: &[(&str, &[&str])] = &[
    ("src/app.rs", &["DbErr"]),
    ("src/audit.rs", &["DbBackend", "DbErr", "IsolationLevel", "TransactionTrait"]),
    ("src/engine/", &["ConnectionTrait", "DatabaseTransaction", "DbErr"]),
    ("src/main.rs", &["DbErr"]),
];

/// Which folders and files may name each of these crates.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("async_graphql", &["src/graphql/", "src/http/"]),
    ("async_graphql_axum", &["src/http/stock.rs"]),
    ("apollo_compiler", &["src/http/documents/"]),
    ("axum", &["src/http/"]),
    ("tower_http", &["src/http/"]),
    ("hyper", &["src/http/"]),
    ("hyper_util", &["src/http/"]),
    ("client_ip", &["src/http/"]),
    ("clap", &["src/config.rs", "src/config/", "src/demo/", "src/main.rs"]),
    ("migration", &["src/app/backend.rs", "src/main.rs"]),
    ("sea_orm_migration", &["migration/"]),
];

const MOST_LINES: usize = 400;
const MOST_LINES_OF_A_TEST: usize = 600;
const MEDIAN_LINES: usize = 120;
const MOST_LINES_OF_A_FUNCTION: usize = 70;
const MOST_COLUMNS: usize = 100;

fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// The modules of the crate that a file names.
fn named_modules(file: &Source) -> Vec<String> {
    let ups = file.module().len();
    let named = file.named().into_iter().filter_map(|named| {
        let from_root = match named.path[0].as_str() {
            "crate" => 1,
            "super" => {
                Some(ups).filter(|ups| named.path[..].iter().take(*ups).all(|n| n == "super"))?
            }
            _ => return None,
        };
        named.path.get(from_root).filter(|name| *name != "super").cloned()
    });
    named.collect()
}

#[test]
fn the_arrows_between_modules_point_one_way() {
    let mut unknown = Vec::new();
    let mut needed = Vec::new();
    let files = sources(&["src"]);
    for file in &files {
        let module = file.module();
        let Some(of) = module.first().filter(|name| **name != "main") else {
            continue;
        };
        let may = MAY_KNOW.iter().find(|(name, _)| name == of);
        let may = may.map_or(&[][..], |(_, may)| may);
        for named in named_modules(file) {
            let named = named.as_str();
            let exception = EXCEPTIONS.iter().find(|one| **one == (file.path.as_str(), named));
            if let Some(exception) = exception {
                needed.push(exception);
            } else if named != *of && !may.contains(&named) {
                unknown.push(format!("{} names {named}", file.path));
            }
        }
    }
    none(&unknown, "these arrows are not in the plan");
    let idle = EXCEPTIONS.iter().filter(|exception| !needed.contains(exception));
    let idle: Vec<_> = idle.map(|(path, named)| format!("{path} names {named}")).collect();
    none(&idle, "these exceptions are needed no more");
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let files = sources(&["src"]);
    let found = circles(&files);
    let is_known = |circle: &Vec<String>| CIRCLES.iter().any(|known| known == circle);
    let new = found.iter().filter(|circle| !is_known(circle));
    let new: Vec<_> = new
        .map(|circle| format!("&{circle:?},\n    {}", ties(&files, circle).join("\n    ")))
        .collect();
    none(&new, "these name each other in a circle");
    let idle = CIRCLES.iter().filter(|known| !found.iter().any(|circle| *known == circle));
    let idle: Vec<_> = idle.map(|known| format!("{known:?}")).collect();
    none(&idle, "these circles are undone, or have fewer files: they leave the list");
}

#[test]
fn the_domain_knows_no_io() {
    let mut found = Vec::new();
    let foreign: Vec<_> =
        dependencies().into_iter().filter(|name| !DOMAINS.contains(&name.as_str())).collect();
    for file in &sources(&["src/domain"]) {
        for named in file.named() {
            let path: Vec<_> = named.path.iter().map(String::as_str).collect();
            let is_io = match path[..] {
                [root, _, ..] if foreign.iter().any(|name| name == root) => true,
                ["std", of, ..] => {
                    ["env", "fs", "io", "net", "os", "process", "thread", "time"].contains(&of)
                }
                [.., "Utc" | "Local", "now"] | [.., "now_v7"] => true,
                _ => false,
            };
            if is_io {
                found.push(format!("{} names {}", file.path, path.join("::")));
            }
        }
    }
    none(&found, "the domain is pure, and reads no clock");
}

/// The crates that the server is built of, as code names them.
fn dependencies() -> Vec<String> {
    let manifest = include_str!("../../Cargo.toml");
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (list, _) = after.split_once("\n[").unwrap();
    let named: Vec<_> = list
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with(['#', '}', ']']))
        .map(|name| name.replace('-', "_"))
        .collect();
    assert!(named.len() > 20, "the manifest was not understood: {named:?}");
    named
}

/// Whether a file names anything of a crate.
fn names(file: &Source, root: &str) -> bool {
    file.named().iter().any(|named| named.path.len() > 1 && named.path[0] == root)
}

#[test]
fn each_crate_is_named_where_it_belongs() {
    let mut found = Vec::new();
    for file in &sources(&["src", "entity/src", "migration/src"]) {
        for (name, folders) in ONLY_IN {
            let belongs = folders.iter().any(|folder| file.path.starts_with(folder));
            if !belongs && names(file, name) {
                found.push(format!("{} names {name}", file.path));
            }
        }
    }
    none(&found, "these crates are named where they do not belong");
}

#[test]
fn sea_orm_is_the_stores_and_elsewhere_a_handle() {
    let mut found = Vec::new();
    for file in &sources(&["src"]) {
        if file.path.starts_with("src/store/") {
            continue;
        }
        let fits = |(place, _): &&(&str, &[&str])| file.path.starts_with(place);
        let may = OF_SEA_ORM.iter().filter(fits).max_by_key(|(place, _)| place.len());
        let may = may.map_or(&[][..], |(_, may)| may);
        for named in file.named().iter().filter(|named| named.path[0] == "sea_orm") {
            if !named.path.get(1).is_some_and(|name| may.contains(&name.as_str())) {
                found.push(format!("{} names {}", file.path, named.path.join("::")));
            }
        }
    }
    none(&found, "only the store queries");
}

#[test]
fn only_the_engine_opens_transactions_and_through_the_store() {
    let mut found = Vec::new();
    for file in &sources(&["src"]) {
        let begins = |call: &str| !places(&file.shipped, &[call, "("]).is_empty();
        let by_hand = begins("begin_with_options") || begins("begin_with_config");
        if by_hand
            && !["src/store/transaction.rs", "src/store/probe.rs", "src/audit.rs"]
                .contains(&file.path.as_str())
        {
            found.push(format!("{} begins a transaction by hand", file.path));
        }
        let through_the_store =
            !places(&file.shipped, &["transaction", "::", "begin", "("]).is_empty();
        if through_the_store && !file.path.starts_with("src/engine/") {
            found.push(format!("{} begins a transaction", file.path));
        }
    }
    none(&found, "transactions are the engine's");
}

#[test]
fn every_command_is_counted_from_the_start() {
    let mut named = Vec::new();
    for file in &sources(&["src/engine"]) {
        let names = file.text.split("const NAME: &'static str = \"").skip(1);
        named.extend(names.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    named.sort_unstable();
    let mut known = neighborbid::telemetry::COMMANDS.to_vec();
    known.sort_unstable();
    assert_eq!(named, known);
}

#[test]
fn every_file_says_what_it_owns() {
    let files = sources(ALL);
    let silent = files.iter().filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        !first.starts_with("//! ") || first.len() < 8
    });
    none(&paths(silent), "these files do not open with what they own");
}

fn paths<'a>(files: impl Iterator<Item = &'a Source>) -> Vec<String> {
    files.map(|file| file.path.clone()).collect()
}

#[test]
fn files_functions_and_lines_stay_short() {
    let mut found = Vec::new();
    let shipped = ["src", "entity/src", "migration/src"];
    for file in &sources(ALL) {
        let lines = file.text.lines().count();
        let is_test = file.path.starts_with("tests/");
        if lines > if is_test { MOST_LINES_OF_A_TEST } else { MOST_LINES } {
            found.push(format!("{} has {lines} lines", file.path));
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            let columns = line.chars().count();
            if columns > MOST_COLUMNS {
                found.push(format!("{}:{number} has {columns} columns", file.path));
            }
        }
        for (from, to) in file.functions() {
            if to - from + 1 > MOST_LINES_OF_A_FUNCTION {
                let lines = to - from + 1;
                found.push(format!("{}:{from} is a function of {lines} lines", file.path));
            }
        }
    }
    let mut lengths: Vec<_> =
        sources(&shipped).iter().map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    if median > MEDIAN_LINES {
        found.push(format!("the median file has {median} lines"));
    }
    none(&found, "too long");
}

#[test]
fn nothing_shipped_panics_on_purpose() {
    let mut found = Vec::new();
    for file in &sources(&["src", "entity/src", "migration/src"]) {
        for at in (0..file.shipped.len()).filter(|at| panics(&file.shipped, *at)) {
            let Token { text, line } = &file.shipped[at];
            found.push(format!("{}:{line} {text}", file.path));
        }
    }
    none(&found, "these may bring the server down");
}

fn panics(tokens: &[Token], at: usize) -> bool {
    let word = tokens[at].text.as_str();
    let is_called = at > 0 && is(tokens, at - 1, &[".", word, "("]);
    // A method of ours may be called so too; this one is given a text.
    let first = tokens.get(at + 2).map_or("", |token| &token.text);
    match word {
        "unwrap" | "unwrap_err" => is_called,
        "expect" | "expect_err" => is_called && first.starts_with(['"', '&']),
        "panic" | "todo" | "unimplemented" | "unreachable" | "dbg" => is(tokens, at + 1, &["!"]),
        _ => false,
    }
}

fn source(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}

#[test]
fn the_reader_of_sources_sees_code_alone() {
    let text = "use a::{b, c::{d, e as f}, self};\n/// x.unwrap()\nfn g<'w>(b: &'w str) -> h::I {\n\
        j!(k::l(\"m::n\"))\n}\n#[cfg(test)]\nmod o { use p::q; }\n\
        #[r(\"crate::s::t\")] fn u();";
    let file = source("src/v.rs", text);
    let named: Vec<_> = file.named().iter().map(|named| named.path.join("::")).collect();
    for path in ["a::b", "a::c::d", "a::c::e", "a", "h::I", "k::l", "crate::s::t"] {
        assert!(named.iter().any(|named| named == path), "{path} in {named:?}");
    }
    for path in ["m::n", "p::q", "x", "unwrap"] {
        assert!(!named.iter().any(|named| named == path), "{path} in {named:?}");
    }
    assert_eq!(file.functions(), [(3, 5)]);
}

#[test]
fn a_circle_is_found_whichever_way_its_files_name_each_other() {
    let files = [
        ("src/lib.rs", "pub mod a; pub mod b;"),
        (
            "src/a/mod.rs",
            "mod one; mod two; mod three; pub use one::One; pub use two::Two; \
            pub struct Whole(Vec<three::Three>);",
        ),
        ("src/a/one.rs", "use super::two; pub struct One(two::Two);"),
        ("src/a/two.rs", "pub struct Two; fn f() { super::one::g(); }"),
        ("src/a/three.rs", "use super::{One, Two}; pub struct Three(super::Whole);"),
        ("src/b.rs", "use crate::a; fn f(_: a::One) {} #[cfg(test)] mod t { use super::*; }"),
    ];
    let read = |files: &[(&str, &str)]| -> Vec<_> {
        files.iter().map(|(path, text)| source(path, text)).collect()
    };
    assert_eq!(circles(&read(&files)), [["src/a/one.rs", "src/a/two.rs"]]);
    let mut larger = files;
    larger[3].1 = "use crate::b::f; pub struct Two;";
    assert_eq!(circles(&read(&larger)), [["src/a/one.rs", "src/a/two.rs", "src/b.rs"]]);
    larger[3].1 = "pub struct Two;";
    assert_eq!(circles(&read(&larger)), [[""; 0]; 0]);
}
