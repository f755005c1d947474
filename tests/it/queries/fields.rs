//! Every field of the schema, found by introspection: whatever a page's rows are asked for, ten of
//! them cost as many statements as two.

use std::collections::HashMap;

use async_graphql::Request;

use super::Counted;
use crate::support::on_both;

const ASK: &str = "{ __schema { types { name kind fields { name
    args { name defaultValue type { kind } }
    type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

/// How many objects deep rows are asked.
const DEEPEST: usize = 4;

/// A field that can be asked for without arguments.
struct Field {
    name: String,
    /// The named type inside whatever lists.
    of: String,
    kind: String,
    is_list: bool,
}

/// The types with fields.
struct Types(HashMap<String, Vec<Field>>);

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Types {
    async fn read(counted: &Counted) -> Self {
        let answer = counted.schema.execute(Request::new(ASK)).await;
        assert!(answer.errors.is_empty(), "{:?}", answer.errors);
        let answer = answer.data.into_json().unwrap();
        let types = answer["__schema"]["types"].as_array().unwrap().iter();
        let objects = types.filter(|of| of["kind"] == "OBJECT");
        Self(objects.map(|of| (text(&of["name"]), fields(&of["fields"]))).collect())
    }

    fn of(&self, name: &str) -> &[Field] {
        &self.0[name]
    }

    /// What an object is asked for by itself.
    fn leaves(&self, name: &str) -> String {
        let leaves = self.of(name).iter().filter(|field| field.is_leaf());
        leaves.map(|field| field.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The pages that can be asked for, in the way that leads there: `{}` stands for the arguments
    /// and the rows.
    fn pages(&self, from: &str, way: &str, pages: &mut Vec<(String, String)>) {
        if way.matches('{').count() > DEEPEST {
            return;
        }
        for field in self.of(from).iter().filter(|field| field.kind == "OBJECT" && !field.is_list) {
            let inside = way.replace("{}", &format!("{} {{}}", field.name));
            match self.node_of(field) {
                Some(node) => pages.push((inside, node.to_owned())),
                None => self.pages(&field.of, &inside.replace("{}", "{ {} }"), pages),
            }
        }
    }

    /// The type of a connection's rows, where a field is one.
    fn node_of(&self, field: &Field) -> Option<&str> {
        let nodes = self.of(&field.of).iter().find(|inner| inner.name == "nodes");
        nodes.filter(|_| field.of.ends_with("Connection")).map(|nodes| nodes.of.as_str())
    }

    /// Every selection of a row that leads through one object after another, with all that the last
    /// one is asked for by itself.
    fn selections(&self, of: &str, depth: usize) -> Vec<String> {
        let mut all = vec![self.leaves(of)];
        let objects = self.of(of).iter().filter(|field| field.kind == "OBJECT");
        for field in objects.filter(|_| depth < DEEPEST) {
            let name = &field.name;
            match self.node_of(field) {
                Some(node) => {
                    let inner = self.selections(node, depth + 1).into_iter();
                    all.extend(
                        inner.map(|rows| format!("{name}(first: 2) {{ nodes {{ {rows} }} }}")),
                    );
                }
                None => {
                    let inner = self.selections(&field.of, depth + 1).into_iter();
                    all.extend(inner.map(|selected| format!("{name} {{ {selected} }}")));
                }
            }
        }
        all
    }
}

impl Field {
    fn is_leaf(&self) -> bool {
        ["SCALAR", "ENUM"].contains(&self.kind.as_str())
    }
}

fn fields(fields: &serde_json::Value) -> Vec<Field> {
    let is_needed = |argument: &serde_json::Value| {
        argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null()
    };
    let mut found = Vec::new();
    for field in fields.as_array().unwrap() {
        if field["args"].as_array().unwrap().iter().any(is_needed) {
            continue;
        }
        let (mut of, mut is_list) = (&field["type"], false);
        while of["name"].is_null() {
            is_list |= of["kind"] == "LIST";
            of = &of["ofType"];
        }
        let (kind, name) = (text(&of["kind"]), text(&field["name"]));
        found.push(Field { name, of: text(&of["name"]), kind, is_list });
    }
    found
}

on_both! {
    async fn whatever_rows_are_asked_for_ten_cost_what_two_cost(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        let types = Types::read(&counted).await;
        let mut pages = Vec::new();
        types.pages("Query", "{ {} }", &mut pages);
        assert!(pages.len() >= 6, "{pages:?}");
        let (mut asked, mut grown) = (0, Vec::new());
        for (way, node) in &pages {
            for selected in types.selections(node, 1) {
                let rows_of = format!("{{page}} {{ nodes {{ {selected} }} }}");
                // The name of the page stands right before its arguments.
                let document = way.replace(" {}", &rows_of);
                let two = counted.cost(&document, 2).await;
                let ten = counted.cost(&document, 10).await;
                asked += 1;
                if two != ten {
                    grown.push(format!("{two} statements for two rows, {ten} for ten: {document}"));
                }
            }
        }
        println!("{asked} selections of {} pages", pages.len());
        assert!(asked > 100, "the schema was not understood");
        assert!(grown.is_empty(), "these grow with the page:\n{}", grown.join("\n"));
    }

    async fn aliases_that_ask_the_same_share_a_statement(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        let aliases = |of: &dyn Fn(usize) -> String| (0..30).map(of).collect::<Vec<_>>().join(" ");
        let of_auctions = |bids: &str| format!("{{ auctions{{page}} {{ nodes {{ {bids} }} }} }}");
        let same = aliases(&|n| format!("a{n}: bids(first: 1) {{ nodes {{ id }} }}"));
        assert_eq!(counted.cost(&of_auctions(&same), 20).await, 3, "one for all their bids");
        let sizes = aliases(&|n| format!("a{n}: bids(first: {}) {{ nodes {{ id }} }}", n % 2 + 1));
        assert_eq!(counted.cost(&of_auctions(&sizes), 20).await, 4, "one for each size");
        for (what, field, expected) in [
            ("lists", "auctions(first: 2) { nodes { id } }", 2),
            ("own bids", "viewer { bids(first: 2) { nodes { id } } }", 1),
            ("wallets", "viewer { wallet { available } }", 1),
            ("transfers", "viewer { wallet { transfers(first: 2) { nodes { id } } } }", 2),
            ("users", "user(username: \"viewer\") { id }", 1),
        ] {
            let document = aliases(&|n| format!("a{n}: {field}"));
            let cost = counted.statements(&format!("{{ {document} }}")).await;
            assert_eq!(cost, expected, "{what}");
        }
    }

    async fn what_is_asked_for_by_id_is_loaded_together(db: &TestDatabase) {
        let counted = Counted::open(db).await;
        let ask = "{ auctions(first: 5) {
                nodes { id bids(first: 1) { nodes { id bidder { id } } } } }
            viewer { orders(first: 5) { nodes { id } } notifications(first: 5) { nodes { id } }
                wallet { transfers(first: 5) { nodes { id } } } } }";
        let found = counted.answer(ask).await.into_json().unwrap();
        let mut ids = Vec::new();
        let own = ["/viewer/orders", "/viewer/notifications", "/viewer/wallet/transfers"];
        for list in ["/auctions"].into_iter().chain(own) {
            let nodes = found.pointer(&format!("{list}/nodes")).unwrap().as_array().unwrap();
            ids.extend(nodes.iter().map(|node| text(&node["id"])));
        }
        let bids = found["auctions"]["nodes"].as_array().unwrap().iter();
        let bids = bids.map(|auction| &auction["bids"]["nodes"][0]);
        for bid in bids {
            ids.extend([text(&bid["id"]), text(&bid["bidder"]["id"])]);
        }
        let node = |(n, id): (usize, &String)| format!("a{n}: node(id: \"{id}\") {{ id }}");
        let nodes: Vec<_> = ids.iter().enumerate().map(node).collect();
        assert_eq!(counted.statements(&format!("{{ {} }}", nodes.join(" "))).await, 6, "{ids:?}");
    }
}
