//! `schema.graphql` is what the code says.

#[test]
fn the_committed_schema_is_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == neighborbid::graphql::sdl(),
        "schema.graphql differs from the code: cargo run -- schema > schema.graphql"
    );
}
