//! The gate on the real schema: what passes, what is refused, and that the work is linear in the
//! text whatever it says.

use std::time::Duration;

use apollo_compiler::parser::Parser;
use async_graphql::{Variables, parser::types::Selection};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    count,
    document::Document,
    gate::{Fault, Gate},
    limits::DocumentLimits,
};
use crate::http::variables;

pub(super) const LIMITS: DocumentLimits = DocumentLimits {
    bytes: 32_768,
    tokens: 5_000,
    nesting: 64,
    definitions: 100,
    spreads: 500,
    fields: 1_000,
    aliases: 30,
    directives: 5,
    depth: 15,
    introspection_lists: 3,
    cost: 10_000,
    introspection: true,
    suggestions: false,
    cache_bytes: 1 << 20,
    checks: 1,
    answer_bytes: 1 << 20,
    timeout: Duration::from_secs(1),
    shared_bytes: 1 << 20,
};

fn gate(limits: DocumentLimits) -> Gate {
    Gate::new(&crate::graphql::sdl(), limits).unwrap()
}

fn check(gate: &Gate, text: &str) -> Result<Document, Vec<Fault>> {
    let scan = gate.look(text).map_err(|fault| vec![fault])?;
    gate.check(text, scan)
}

fn refused(gate: &Gate, text: &str) -> String {
    let shown: String = text.chars().take(200).collect();
    match check(gate, text) {
        Ok(_) => panic!("passed: {shown}"),
        Err(faults) => faults[0].message.clone(),
    }
}

fn chain(length: usize, spreads: usize, last: &str) -> String {
    let mut text = "{ ...f0 }".to_owned();
    for n in 0..length {
        let next = format!("...f{} ", n + 1).repeat(spreads);
        text += &format!(" fragment f{n} on Query {{ {next} }}");
    }
    text + &format!(" fragment f{length} on Query {{ {last} }}")
}

#[test]
fn what_multiplies_is_counted_as_often_as_it_is_spread() {
    let gate = gate(LIMITS);
    assert!(refused(&gate, &chain(25, 10, "__typename")).contains("1000 fields"));
    assert!(refused(&gate, &chain(9, 2, "a: __typename")).contains("30 aliases"));
    assert!(check(&gate, &chain(9, 2, "__typename")).is_ok());
    let cycle = "subscription{...f} fragment f on Subscription{...f ...f ...f ...f ...f ...f}";
    assert_eq!(refused(&gate, cycle), "The fragment f spreads itself.");
    assert!(refused(&gate, &chain(70, 1, "__typename")).contains("64 selections"));
    // What nobody spreads is counted too, and two of one name are each.
    let unused =
        format!("{{ __typename }} fragment f on Query {{ {} }}", "__typename ".repeat(999));
    assert!(!refused(&gate, &unused).contains("fields"));
    let aliases: String = (0..31).map(|n| format!("a{n}: __typename ")).collect();
    let twice = "fragment f on Query { __typename }";
    let hidden = format!("{{ ...f }} {twice} fragment f on Query {{ {aliases} }}");
    assert!(refused(&gate, &hidden).contains("30 aliases"));
}

#[test]
fn rows_searches_and_large_texts_have_a_price() {
    let gate = gate(LIMITS);
    let descriptions: String = (0..30).map(|n| format!("a{n}: description ")).collect();
    for dear in [
        format!("{{ auctions(first: 50) {{ nodes {{ {descriptions} }} }} }}"),
        "{ auctions(first: 100) { nodes { bids(first: 100) { nodes { id } } } } }".to_owned(),
        format!(
            "{{ {} }}",
            (0..25)
                .map(|n| format!(
                    "a{n}: auctions(first: 1, filter: {{query: \"a\"}}) {{ nodes {{ id }} }}"
                ))
                .collect::<String>()
        ),
        "{ auctions(last: 100) { edges { node { bids(first: 100) { edges { cursor } } } } } }"
            .to_owned(),
    ] {
        assert!(refused(&gate, &dear).contains("costs more"), "{dear}");
    }
    for fits in [
        "{ auctions(first: 100) { nodes { id title description } } }",
        "{ auctions(first: 100) { nodes { id title seller { username } bids(first: 5) { nodes { \
         id amount bidder { username } placedAt } } } pageInfo { hasNextPage } } }",
        "{ regions { id name parent { id name parent { id name } } } categories { id name } }",
    ] {
        assert!(check(&gate, fits).is_ok(), "{fits}: {:?}", check(&gate, fits));
    }
}

#[test]
fn the_cost_of_variables_is_that_of_their_values() {
    let gate = gate(LIMITS);
    let text = "query($n: Int, $filter: AuctionFilter) { a: auctions(first: $n, filter: $filter) {
        nodes { bids(first: $n) { nodes { id } } } } }";
    let document = check(&gate, text).unwrap();
    let operation = document.operation(None).unwrap();
    let run = |json: Json| gate.check_run(operation, &Variables::from_json(json));
    assert!(run(json!({ "n": 10 })).is_ok());
    assert!(run(json!({})).is_ok());
    assert!(run(json!({ "n": 100 })).unwrap_err().contains("costs more"));
    assert!(run(json!({ "n": 1_000_000 })).unwrap_err().contains("costs more"));
    assert!(run(json!({ "n": -5 })).is_ok(), "refused by its own field");
}

#[test]
fn variables_are_of_their_types_before_anything_runs() {
    let gate = gate(LIMITS);
    let text = "mutation($input: PlaceBidInput!) { placeBid(input: $input) { bid { id } } }";
    let document = check(&gate, text).unwrap();
    let operation = document.operation(None).unwrap();
    for (input, wrong) in [
        (json!({ "auctionId": "a", "amount": "1000" }), None),
        (json!({ "auctionId": 1, "amount": 1000, "maximum": null }), None),
        (json!({ "auctionId": "a" }), Some("$input.amount")),
        (json!({ "auctionId": "a", "amount": null }), Some("$input.amount")),
        (json!({ "auctionId": "a", "amount": 1.5 }), Some("$input.amount")),
        (json!({ "auctionId": "a", "amount": 1, "bid": 1 }), Some("$input.bid")),
        (json!({ "auctionId": [], "amount": 1 }), Some("$input.auctionId")),
        (json!("a"), Some("$input ")),
        (json!(null), Some("$input ")),
    ] {
        let variables = Variables::from_json(json!({ "input": input.clone() }));
        let found = gate.check_run(operation, &variables).err();
        assert_eq!(found.is_some(), wrong.is_some(), "{input}: {found:?}");
        let found = found.unwrap_or_default();
        assert!(found.contains(wrong.unwrap_or_default()), "{input}: {found}");
    }
    let literal = "{ auctions(filter: { minPrice: 1.5 }) { nodes { id } } }";
    assert!(refused(&gate, literal).contains("filter.minPrice"));
}

#[test]
fn a_number_beyond_all_others_is_no_null() {
    let gate = gate(LIMITS);
    let bid = |maximum: &str| {
        let input = format!("auctionId: \"a\", amount: \"1\", maximum: {maximum}");
        format!("mutation {{ placeBid(input: {{ {input} }}) {{ bid {{ id }} }} }}")
    };
    assert!(check(&gate, &bid("null")).is_ok());
    for beyond in ["1e400", "-1e400", &"9".repeat(400)] {
        assert!(refused(&gate, &bid(beyond)).contains("input.maximum"), "{beyond}");
        let page = "auctions(filter: { minPrice: $n }) { nodes { id } }";
        let default = format!("query($n: Decimal = {beyond}) {{ {page} }}");
        let document = check(&gate, &default).unwrap();
        let operation = document.operation(None).unwrap();
        let declared = &operation.definition().unwrap().variable_definitions;
        let variables = variables::complete(declared, Variables::default()).unwrap();
        let found = gate.check_run(operation, &variables).unwrap_err();
        assert!(found.contains("$n"), "{found}");
    }
}

#[test]
fn introspection_of_tools_passes_and_its_lists_nest_no_deeper() {
    let gate = gate(LIMITS);
    assert!(check(&gate, include_str!("introspection.graphql")).is_ok());
    for (depth, passes) in [(1, true), (2, true), (3, false), (5, false), (6, false)] {
        let mut nested = "name".to_owned();
        for level in 0..depth {
            let list = if level % 2 == 0 { "possibleTypes" } else { "interfaces" };
            nested = format!("a{level}: {list} {{ {nested} }}");
        }
        let text = format!("{{ __type(name: \"Node\") {{ {nested} }} }}");
        assert_eq!(check(&gate, &text).is_ok(), passes, "{text}");
    }
    // Hidden in fragments that are spread before, too.
    let hidden = "{ __type(name: \"Node\") { ...a fields { type { ...b } } } }
        fragment a on __Type { fields { name } }
        fragment b on __Type { interfaces { ...a } }";
    assert!(refused(&gate, hidden).contains("introspection"));
    let wide = "{ __schema { types { fields { type { ofType { fields { args { type { ofType { \
                name } } } } } } } } } }";
    assert!(check(&gate, wide).is_ok());
    let wider = wide.replace("name }", &format!("{} }}", "name kind ".repeat(250)));
    assert!(refused(&gate, &wider).contains("costs more"));

    let off = self::gate(DocumentLimits { introspection: false, ..LIMITS });
    assert_eq!(refused(&off, "{ __schema { queryType { name } } }"), "Introspection is off.");
    assert_eq!(
        refused(&off, "{ ...f } fragment f on Query { __type(name: \"a\") { name } }"),
        "Introspection is off."
    );
    assert!(check(&off, "{ __typename }").is_ok());
}

#[test]
fn a_subscription_has_one_root_field_wherever_it_stands() {
    let gate = gate(LIMITS);
    let field = "viewerUpdated { wallet { available } }";
    for (text, fits) in [
        (format!("subscription {{ {field} }}"), true),
        (format!("subscription {{ ...f }} fragment f on Subscription {{ {field} }}"), true),
        (format!("subscription {{ ... on Subscription {{ {field} }} }}"), true),
        (format!("subscription {{ ...f ...f }} fragment f on Subscription {{ {field} }}"), true),
        (format!("subscription {{ a: {field} b: {field} }}"), false),
        (
            format!("subscription {{ {field} ...f }} fragment f on Subscription {{ b: {field} }}"),
            false,
        ),
        ("subscription { ...f } fragment f on Subscription { ...f }".to_owned(), false),
        ("subscription { __typename }".to_owned(), false),
    ] {
        let document = check(&gate, &text);
        assert_eq!(document.is_ok(), fits, "{text}: {document:?}");
        let Ok(document) = document else { continue };
        let definition = document.operations[0].definition().unwrap();
        let [root] = definition.selection_set.node.items.as_slice() else { panic!("{text}") };
        assert!(matches!(root.node, Selection::Field(_)));
    }
}

#[test]
fn subscriptions_that_mean_the_same_are_told_by_their_meaning() {
    let gate = gate(LIMITS);
    let meaning = |text: &str| {
        let document = check(&gate, text).unwrap();
        document.operation(Some("a")).or(document.operation(None)).unwrap().meaning.clone()
    };
    let plain = "subscription a { viewerUpdated { wallet { available } } }";
    for same in [
        "subscription b{viewerUpdated{wallet{available}}}",
        "# a comment\nsubscription a {\n viewerUpdated { wallet {,,, available } } } #1",
        "subscription a { viewerUpdated { wallet { available } } } query b { __typename }",
    ] {
        assert_eq!(meaning(plain), meaning(same));
    }
    assert_ne!(meaning(plain), meaning("subscription { viewerUpdated { wallet { locked } } }"));
}

#[test]
fn the_first_errors_are_told_and_what_was_read_is_what_runs() {
    let gate = gate(LIMITS);
    let unknown: String = (0..900).map(|n| format!("u{n} ")).collect();
    let faults = check(&gate, &format!("{{ {unknown} }}")).unwrap_err();
    assert_eq!((faults.len(), faults[0].location), (20, Some((1, 3))));
    let text = "query q($n: [Int!]! = [1], $b: Boolean!) { x: auction(id: \"\"\"a\n  b\"\"\") { id \
                @skip(if: $b) } }";
    let faults = check(&gate, text).unwrap_err();
    assert_eq!(faults.len(), 1, "an unused variable: {faults:?}");
    for empty in ["", "# nothing", "\u{feff}", "{", "{ }", "query", "\"", "{ a(b: \"", "\u{0}"] {
        assert!(check(&gate, empty).is_err(), "{empty:?}");
    }
    assert!(check(&gate, "\u{feff}{ __typename }").is_ok());
}

/// Documents of the grammar, valid or not, with much that repeats and multiplies.
fn documents() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "id",
        "auctions",
        "nodes",
        "bids",
        "node",
        "__typename",
        "__schema",
        "types",
        "fields",
        "description",
        "a",
        "viewer",
        "edges",
        "interfaces",
        "type",
        "ofType",
    ]);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("$v".to_owned()),
        Just("\"x\"".to_owned()),
        Just("99999999999999999999999999999".to_owned()),
        Just("-1e9999".to_owned()),
        Just("\"\"\"block\"\"\"".to_owned()),
        Just("ENUM".to_owned()),
        Just("null".to_owned()),
    ]
    .prop_recursive(6, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(" "))),
            prop::collection::vec(inner, 0..4)
                .prop_map(|all| format!("{{{}}}", all.join(" k: ").replacen("", "k: ", 1))),
        ]
    });
    let spread = (0..6_u8).prop_map(|n| format!("...f{n}"));
    let field = (prop::option::of(0..5_u8), name, prop::option::of(value), any::<bool>()).prop_map(
        |(alias, name, value, skip)| {
            let alias = alias.map(|n| format!("x{n}: ")).unwrap_or_default();
            let value = value.map(|value| format!("(first: {value})")).unwrap_or_default();
            format!("{alias}{name}{value}{}", if skip { " @skip(if: true)" } else { "" })
        },
    );
    let set = prop_oneof![3 => field.clone(), 2 => spread].prop_recursive(8, 96, 8, move |inner| {
        let list = prop::collection::vec(inner, 1..8).prop_map(|all| all.join(" "));
        prop_oneof![
            (field.clone(), list.clone()).prop_map(|(field, list)| format!("{field} {{ {list} }}")),
            list.prop_map(|list| format!("... on Query {{ {list} }}")),
        ]
    });
    let kinds =
        prop::sample::select(vec!["query q", "mutation m", "subscription s", "query r($v: Int)"]);
    let operations = prop::collection::vec((kinds, set.clone()), 1..3);
    let on = prop::sample::select(vec!["Query", "Auction", "__Type", "Nothing"]);
    let fragments = prop::collection::vec((on, set), 0..6);
    (operations, fragments).prop_map(|(operations, fragments)| {
        let operations = operations.into_iter().map(|(kind, set)| format!("{kind} {{ {set} }}\n"));
        let fragments = fragments.into_iter().enumerate();
        let fragments =
            fragments.map(|(n, (on, set))| format!("fragment f{n} on {on} {{ {set} }}\n"));
        operations.chain(fragments).collect()
    })
}

proptest! {
    // CASES=20000 looks for longer.
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64),
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn the_walk_takes_no_more_steps_than_the_text_has_bytes(text in documents()) {
        let parsed = match Parser::new().parse_ast(text.as_str(), "document") {
            Ok(parsed) => parsed,
            Err(invalid) => invalid.partial,
        };
        if let Ok(steps) = count::count(&parsed, &LIMITS) {
            prop_assert!(steps <= text.len());
        }
        let gate = gate_once();
        if let Err(faults) = check(gate, &text) {
            prop_assert!(!faults.is_empty() && faults.len() <= 20);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[{}()\\[\\]:!$@.\"#,a-f0-9 \\\\\n\u{feff}é]{0,200}") {
        let _ = check(gate_once(), &text);
    }
}

fn gate_once() -> &'static Gate {
    static GATE: std::sync::OnceLock<Gate> = std::sync::OnceLock::new();
    GATE.get_or_init(|| gate(LIMITS))
}
