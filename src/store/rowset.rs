//! Sets of rows that a question is asked of, in one statement of one shape whatever their number:
//! arrays through `unnest` on Postgres, one JSON document through `json_each` on SQLite. What is
//! written set-wise is in `bulk`.

use chrono::SecondsFormat;
use entity::Time;
use sea_orm::{
    DbBackend, Statement, Value,
    sea_query::{ArrayType, Nullable, ValueType},
};
use serde_json::Value as Json;
use uuid::Uuid;

/// A set of rows, held column by column.
#[derive(Debug, Default)]
pub(super) struct Rowset {
    columns: Vec<(&'static str, Column)>,
}

#[derive(Debug)]
enum Column {
    Uuid(Vec<Uuid>),
    Int64(Vec<i64>),
    Time(Vec<Time>),
}

impl Rowset {
    /// Without columns yet. Every column must get as many values as the others.
    pub fn new() -> Self {
        Self::default()
    }

    /// A column of ids.
    pub fn uuid(self, name: &'static str, values: impl Iterator<Item = Uuid>) -> Self {
        self.with(name, Column::Uuid(values.collect()))
    }

    /// A column of whole numbers.
    pub fn int64(self, name: &'static str, values: impl Iterator<Item = i64>) -> Self {
        self.with(name, Column::Int64(values.collect()))
    }

    /// A column of instants.
    pub fn time(self, name: &'static str, values: impl Iterator<Item = Time>) -> Self {
        self.with(name, Column::Time(values.collect()))
    }

    fn with(mut self, name: &'static str, column: Column) -> Self {
        self.columns.push((name, column));
        self
    }

    /// The statement that `text` makes around the rows, which it is given as a table source with
    /// this set's column names.
    pub fn statement(self, backend: DbBackend, text: impl FnOnce(&str) -> String) -> Statement {
        let (source, values) = match backend {
            DbBackend::Postgres => self.unnest(),
            _ => self.json(),
        };
        Statement::from_sql_and_values(backend, text(&source), values)
    }

    fn unnest(self) -> (String, Vec<Value>) {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let (mut arrays, mut values) = (Vec::new(), Vec::new());
        for (place, (_, column)) in (1..).zip(self.columns) {
            let (sql_type, value) = column.into_array();
            arrays.push(format!("${place}::{sql_type}[]"));
            values.push(value);
        }
        let arrays = arrays.join(", ");
        (format!("(SELECT {names} FROM unnest({arrays}) AS u ({names}))"), values)
    }

    fn json(self) -> (String, Vec<Value>) {
        let selected: Vec<_> = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, (name, column))| match column {
                Column::Uuid(_) => format!("unhex(value ->> {place}) AS {name}"),
                _ => format!("value ->> {place} AS {name}"),
            })
            .collect();
        let columns: Vec<Vec<Json>> =
            self.columns.into_iter().map(|(_, c)| c.into_json()).collect();
        let height = columns.first().map_or(0, Vec::len);
        let mut rows = vec![Vec::with_capacity(columns.len()); height];
        for column in columns {
            for (row, value) in rows.iter_mut().zip(column) {
                row.push(value);
            }
        }
        let document = Json::from(rows).to_string();
        let selected = selected.join(", ");
        (format!("(SELECT {selected} FROM json_each($1))"), vec![document.into()])
    }
}

impl Column {
    /// Its Postgres type, and the array.
    fn into_array(self) -> (&'static str, Value) {
        match self {
            Self::Uuid(v) => ("uuid", array(v)),
            Self::Int64(v) => ("int8", array(v)),
            Self::Time(v) => ("timestamptz", array(v)),
        }
    }

    fn into_json(self) -> Vec<Json> {
        fn list<T>(values: Vec<T>, f: impl Fn(T) -> Json) -> Vec<Json> {
            values.into_iter().map(f).collect()
        }
        match self {
            Self::Uuid(v) => list(v, |id| id.simple().to_string().into()),
            Self::Int64(v) => list(v, Json::from),
            // As the driver writes a time, so that texts compare as times do.
            Self::Time(v) => list(v, |t| t.to_rfc3339_opts(SecondsFormat::AutoSi, false).into()),
        }
    }
}

fn array<T: Into<Value> + ValueType + Nullable>(values: impl IntoIterator<Item = T>) -> Value {
    let values = values.into_iter().map(Into::into).collect::<Vec<Value>>();
    let element: ArrayType = T::array_type();
    Value::Array(element, Some(Box::new(values)))
}

/// `column` is one of the ids that the parameter at `place` holds, and that parameter. One alone is
/// asked for by itself: for lists, whose lengths it then knows, Postgres goes on planning anew.
pub(super) fn one_of(
    backend: DbBackend,
    column: &str,
    place: usize,
    ids: impl Iterator<Item = Uuid>,
) -> (String, Value) {
    let ids: Vec<_> = ids.collect();
    match (backend, ids.as_slice()) {
        (DbBackend::Postgres, [id]) => (format!("{column} = ${place}"), (*id).into()),
        (DbBackend::Postgres, _) => (format!("{column} = ANY(${place})"), array(ids)),
        _ => {
            let ids: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
            let document = Json::from(ids).to_string();
            let sql = format!("{column} IN (SELECT unhex(value) FROM json_each(${place}))");
            (sql, document.into())
        }
    }
}
