//! The house's order, held by tests and not by memory: who may know whom, what every file says of
//! itself, how long files, functions and lines may be, and that nothing shipped panics.

pub mod source;

use source::{Source, blanked, block_end, named_after, places, sources};

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

/// The modules of the crate that a file names: after `crate::`, or up to the root by `super`.
fn named_modules(file: &Source) -> Vec<&str> {
    let up = vec!["super"; file.module().len()].join("::");
    let mut named = named_after(&file.shipped, "crate");
    named.extend(named_after(&file.shipped, &up));
    // Attributes give paths as texts.
    let in_texts = file.text.split("\"crate::").skip(1);
    named.extend(in_texts.filter_map(|rest| rest.split("::").next()));
    named
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
            let exception = (file.path.as_str(), named);
            if EXCEPTIONS.contains(&exception) {
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
fn the_domain_knows_no_io() {
    let mut found = Vec::new();
    for file in &sources(&["src/domain"]) {
        for name in dependencies() {
            if !DOMAINS.contains(&name.as_str()) && names(&file.shipped, &name) {
                found.push(format!("{} names {name}", file.path));
            }
        }
        for named in named_after(&file.shipped, "std") {
            if ["env", "fs", "io", "net", "os", "process", "thread", "time"].contains(&named) {
                found.push(format!("{} names std::{named}", file.path));
            }
        }
        for clock in ["Utc::now", "Local::now", "now_v7"] {
            if file.shipped.contains(clock) {
                found.push(format!("{} reads a clock: {clock}", file.path));
            }
        }
    }
    none(&found, "the domain is pure");
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

fn names(code: &str, root: &str) -> bool {
    let path = |place: &usize| code[place + root.len()..].starts_with("::");
    let outermost = |place: &usize| !code[..*place].ends_with("::");
    places(code, root).iter().any(|place| path(place) && outermost(place))
}

#[test]
fn each_crate_is_named_where_it_belongs() {
    let mut found = Vec::new();
    for file in &sources(&["src", "entity/src", "migration/src"]) {
        for (name, folders) in ONLY_IN {
            let belongs = folders.iter().any(|folder| file.path.starts_with(folder));
            if !belongs && names(&file.shipped, name) {
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
        for named in named_after(&file.shipped, "sea_orm") {
            if !may.contains(&named) {
                found.push(format!("{} names sea_orm::{named}", file.path));
            }
        }
    }
    none(&found, "only the store queries");
}

#[test]
fn only_the_engine_opens_transactions_and_through_the_store() {
    let mut found = Vec::new();
    for file in &sources(&["src"]) {
        let begins = |call: &str| !places(&file.shipped, call).is_empty();
        let by_hand = begins("begin_with_options") || begins("begin_with_config");
        if by_hand
            && !["src/store/transaction.rs", "src/store/probe.rs", "src/audit.rs"]
                .contains(&file.path.as_str())
        {
            found.push(format!("{} begins a transaction by hand", file.path));
        }
        let through_the_store = file.shipped.contains("transaction::begin(");
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
        for place in places(&file.code, "fn") {
            let Some(end) = block_end(&file.code, place) else {
                continue;
            };
            let (from, to) = (file.line_of(place), file.line_of(end));
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
        for word in ["unwrap", "expect", "unwrap_err", "expect_err"] {
            for place in places(&file.shipped, word) {
                let is_call = file.shipped[..place].ends_with('.')
                    && file.shipped[place + word.len()..].starts_with('(');
                // A method of ours may be called so too; this one is given a text.
                let given = file.text[place + word.len()..].trim_start_matches(['(', ' ', '\n']);
                let is_ours = word.starts_with("expect") && !given.starts_with(['"', '&']);
                if is_call && !is_ours {
                    found.push(format!("{}:{} {word}", file.path, file.line_of(place)));
                }
            }
        }
        for word in ["panic", "todo", "unimplemented", "unreachable", "dbg"] {
            for place in places(&file.shipped, word) {
                if file.shipped[place + word.len()..].starts_with('!') {
                    found.push(format!("{}:{} {word}!", file.path, file.line_of(place)));
                }
            }
        }
    }
    none(&found, "these may bring the house down");
}

#[test]
fn the_reader_of_sources_sees_code_alone() {
    let text = r##"fn a<'x>(b: &'x str) { c('"', "fn d() { unwrap(", r#"" }"#, '\'', '\n'); } // fn
/* fn /* e */ */ fn f();"##;
    let code = blanked(text);
    assert_eq!((code.len(), code.matches("fn").count()), (text.len(), 2));
    assert!(!code.contains("unwrap") && code.contains("<'x>"));
    assert_eq!(block_end(&code, 0), text.find(" // fn").map(|end| end - 1));
    assert_eq!(block_end(&code, code.rfind("fn").unwrap()), None);
    let list = "use a::{b, c::{d, e}, f};\nx::a::g(a::h)";
    assert_eq!(named_after(list, "a"), ["b", "c", "f", "g", "h"]);
}
