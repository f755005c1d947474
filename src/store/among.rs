//! Conditions of a set of keys that have one shape whatever their number, so that the statement
//! stays prepared: SeaORM's `is_in` has a parameter for each. An array on Postgres, a JSON
//! document on SQLite.

use sea_orm::{
    ColumnTrait, DbBackend, IntoSimpleExpr, Value,
    sea_query::{
        ArrayType, Asterisk, Expr, ExprTrait, Func, Query, SelectStatement, SimpleExpr,
        extension::{postgres::PgFunc, sqlite::SqliteExpr},
    },
};
use uuid::Uuid;

/// `column` is one of these ids. One alone is asked for by itself: for lists, whose lengths it
/// then knows, Postgres goes on planning anew.
pub(super) fn is_among<C: ColumnTrait>(
    backend: DbBackend,
    column: C,
    ids: impl IntoIterator<Item = Uuid>,
) -> SimpleExpr {
    let ids: Vec<_> = ids.into_iter().collect();
    match (backend, ids.as_slice()) {
        (_, [id]) => column.eq(*id),
        (DbBackend::Postgres, _) => {
            column.into_simple_expr().eq(PgFunc::any(array(ArrayType::Uuid, ids)))
        }
        _ => column.in_subquery(each(ids.iter().map(hex)).expr(unhex(Expr::col("value"))).take()),
    }
}

/// The two columns are one of these pairs of an id and a text.
pub(super) fn are_among<C: ColumnTrait>(
    backend: DbBackend,
    columns: [C; 2],
    pairs: &[(Uuid, &str)],
) -> SimpleExpr {
    let pair = Expr::tuple(columns.map(IntoSimpleExpr::into_simple_expr));
    if backend == DbBackend::Postgres {
        let ids = array(ArrayType::Uuid, pairs.iter().map(|(id, _)| *id));
        let texts = array(ArrayType::String, pairs.iter().map(|(_, text)| *text));
        let rows = Func::cust("unnest").args([ids, texts].map(Expr::val));
        return pair.in_subquery(Query::select().column(Asterisk).from_function(rows, "r").take());
    }
    let mut rows = each(pairs.iter().map(|(id, text)| vec![hex(id), (*text).to_owned()]));
    let field = |place: i32| Expr::col("value").cast_json_field(place);
    pair.in_subquery(rows.expr(unhex(field(0))).expr(field(1)).take())
}

fn array<T: Into<Value>>(element: ArrayType, values: impl IntoIterator<Item = T>) -> Value {
    Value::Array(element, Some(Box::new(values.into_iter().map(Into::into).collect())))
}

/// SQLite: a row for each of these values.
fn each<T: Into<serde_json::Value>>(values: impl Iterator<Item = T>) -> SelectStatement {
    let document = values.map(Into::into).collect::<serde_json::Value>().to_string();
    Query::select().from_function(Func::cust("json_each").arg(document), "r").take()
}

fn hex(id: &Uuid) -> String {
    id.simple().to_string()
}

fn unhex(text: impl Into<SimpleExpr>) -> SimpleExpr {
    Func::cust("unhex").arg(text).into()
}
