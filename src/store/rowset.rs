//! Many rows in one statement of one shape, whatever their number: arrays through `unnest` on
//! Postgres, one JSON document through `json_each` on SQLite.

use chrono::SecondsFormat;
use entity::Time;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Statement, Value,
    sea_query::{ArrayType, Nullable, ValueType},
};
use serde_json::Value as Json;
use uuid::Uuid;

/// A set of rows, held column by column.
#[derive(Debug, Default)]
pub struct Rowset {
    columns: Vec<(&'static str, Column)>,
}

#[derive(Debug)]
enum Column {
    Uuid(Vec<Option<Uuid>>),
    Int64(Vec<Option<i64>>),
    Int32(Vec<i32>),
    Bool(Vec<bool>),
    Text(Vec<Option<String>>),
    Time(Vec<Time>),
}

impl Rowset {
    /// Without columns yet. Every column must get as many values as the others.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A column of ids. A nil UUID stands for no value.
    #[must_use]
    pub fn uuid(self, name: &'static str, values: impl Iterator<Item = Option<Uuid>>) -> Self {
        self.with(name, Column::Uuid(values.collect()))
    }

    /// A column of whole numbers; money among them, which is never below zero.
    #[must_use]
    pub fn int64(self, name: &'static str, values: impl Iterator<Item = Option<i64>>) -> Self {
        self.with(name, Column::Int64(values.collect()))
    }

    /// A column of small whole numbers.
    #[must_use]
    pub fn int32(self, name: &'static str, values: impl Iterator<Item = i32>) -> Self {
        self.with(name, Column::Int32(values.collect()))
    }

    /// A column of truth values.
    #[must_use]
    pub fn bool(self, name: &'static str, values: impl Iterator<Item = bool>) -> Self {
        self.with(name, Column::Bool(values.collect()))
    }

    /// A column of texts. An empty text stands for no value.
    #[must_use]
    pub fn text(self, name: &'static str, values: impl Iterator<Item = Option<String>>) -> Self {
        self.with(name, Column::Text(values.collect()))
    }

    /// A column of instants.
    #[must_use]
    pub fn time(self, name: &'static str, values: impl Iterator<Item = Time>) -> Self {
        self.with(name, Column::Time(values.collect()))
    }

    fn with(mut self, name: &'static str, column: Column) -> Self {
        self.columns.push((name, column));
        self
    }

    /// All rows, added to `table`.
    pub fn insert_into(self, table: &'static str) -> Write {
        let names = self.names();
        self.write(move |rows| {
            format!("INSERT INTO {table} ({names}) SELECT {names} FROM {rows} AS r")
        })
    }

    /// The change that `text` makes of the rows, which it is given as a table source with this
    /// set's column names.
    pub fn write(self, text: impl FnOnce(&str) -> String + Send + 'static) -> Write {
        Write { rows: self, text: Box::new(text) }
    }

    /// The statement that `text` makes around the rows.
    pub fn statement(self, backend: DbBackend, text: impl FnOnce(&str) -> String) -> Statement {
        let (source, values) = self.source(backend, 1);
        Statement::from_sql_and_values(backend, text(&source), values)
    }

    /// The rows as a table source, with its parameters from `first` on.
    fn source(self, backend: DbBackend, first: usize) -> (String, Vec<Value>) {
        match backend {
            DbBackend::Postgres => self.unnest(first),
            _ => self.json(first),
        }
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn unnest(self, first: usize) -> (String, Vec<Value>) {
        let names = self.names();
        let mut selected = Vec::new();
        let mut arrays = Vec::new();
        let mut values = Vec::new();
        for (place, (name, column)) in (first..).zip(self.columns) {
            let (sql_type, absent, value) = column.into_array();
            arrays.push(format!("${place}::{sql_type}[]"));
            selected.push(match absent {
                Some(absent) => format!("NULLIF({name}, {absent}) AS {name}"),
                None => name.to_owned(),
            });
            values.push(value);
        }
        let (selected, arrays) = (selected.join(", "), arrays.join(", "));
        (format!("(SELECT {selected} FROM unnest({arrays}) AS u ({names}))"), values)
    }

    fn json(self, first: usize) -> (String, Vec<Value>) {
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
        (format!("(SELECT {selected} FROM json_each(${first}))"), vec![document.into()])
    }
}

/// A set of rows, and the change that is made of them.
#[must_use]
pub struct Write {
    rows: Rowset,
    text: Box<dyn FnOnce(&str) -> String + Send>,
}

/// Makes several changes, each of another table: on Postgres in one statement, so in one round
/// trip under the locks; on SQLite, where a round trip costs nothing, one after another.
///
/// # Errors
/// When the database refuses any of them, its CHECKs included.
pub async fn write(
    db: &impl ConnectionTrait,
    writes: impl IntoIterator<Item = Write>,
) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    if backend != DbBackend::Postgres {
        for Write { rows, text } in writes {
            db.execute_raw(rows.statement(backend, text)).await?;
        }
        return Ok(());
    }
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for Write { rows, text } in writes {
        let (source, more) = rows.source(backend, values.len() + 1);
        texts.push(text(&source));
        values.extend(more);
    }
    let Some(last) = texts.pop() else { return Ok(()) };
    let others: Vec<_> =
        texts.iter().enumerate().map(|(place, text)| format!("w{place} AS ({text})")).collect();
    let text = match others.is_empty() {
        true => last,
        false => format!("WITH {} {last}", others.join(", ")),
    };
    db.execute_raw(Statement::from_sql_and_values(backend, text, values)).await?;
    Ok(())
}

impl Column {
    /// Its Postgres type, the value that stands for NULL (the driver's arrays hold none), and the
    /// array.
    fn into_array(self) -> (&'static str, Option<&'static str>, Value) {
        match self {
            Self::Uuid(v) => (
                "uuid",
                Some("'00000000-0000-0000-0000-000000000000'::uuid"),
                array(v.into_iter().map(Option::unwrap_or_default)),
            ),
            Self::Int64(v) => ("int8", Some("-1"), array(v.into_iter().map(|n| n.unwrap_or(-1)))),
            Self::Int32(v) => ("int4", None, array(v)),
            Self::Bool(v) => ("bool", None, array(v)),
            Self::Text(v) => {
                ("text", Some("''"), array(v.into_iter().map(Option::unwrap_or_default)))
            }
            Self::Time(v) => ("timestamptz", None, array(v)),
        }
    }

    fn into_json(self) -> Vec<Json> {
        fn list<T>(values: Vec<T>, f: impl Fn(T) -> Json) -> Vec<Json> {
            values.into_iter().map(f).collect()
        }
        match self {
            Self::Uuid(v) => list(v, |id| id.map(|id| id.simple().to_string()).into()),
            Self::Int64(v) => list(v, Json::from),
            Self::Int32(v) => list(v, Json::from),
            Self::Bool(v) => list(v, |b| u8::from(b).into()),
            Self::Text(v) => list(v, Json::from),
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
#[must_use]
pub fn one_of(
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
