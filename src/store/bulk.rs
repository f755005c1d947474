//! The set-wise writes of a batch: many rows of a table in one statement of one shape, whatever
//! their number, so that it stays prepared; on Postgres all tables of a batch in one statement.
//!
//! It holds SQL text because SeaORM cannot say this: its
//! `insert_many` has a parameter for each value, so another statement for each number of rows, and
//! it has no UPDATE that gives each row values of its own. Rows come as arrays through `unnest` on
//! Postgres, and as one JSON document through `json_each` on SQLite.

use std::fmt::Write as _;

use chrono::SecondsFormat;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityName, EntityTrait,
    IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn, Statement, Value, sea_query::ArrayType,
};

/// A change of many rows of one table.
#[derive(Debug)]
#[must_use]
pub struct Write {
    table: &'static str,
    is_update: bool,
    /// How many rows.
    height: usize,
    columns: Vec<Column>,
}

/// One column of the rows.
#[derive(Debug)]
struct Column {
    name: &'static str,
    is_key: bool,
    is_nullable: bool,
    values: Vec<Value>,
}

/// Adds whole rows.
pub fn insert<M: ModelTrait>(rows: &[M]) -> Write {
    let of = |column| Column::of::<M::Entity>(column, rows.iter().map(|row| row.get(column)));
    Write {
        table: M::Entity::default().table_name(),
        is_update: false,
        height: rows.len(),
        columns: <M::Entity as EntityTrait>::Column::iter().map(of).collect(),
    }
}

/// Writes what is set of these rows, each found by its primary key. All of them set the same.
pub fn update<A: ActiveModelTrait>(rows: &[A]) -> Write {
    let values = |column| rows.iter().filter_map(move |row| row.get(column).into_value());
    let of = |column| Column::of::<A::Entity>(column, values(column));
    let columns = <A::Entity as EntityTrait>::Column::iter().map(of);
    Write {
        table: A::Entity::default().table_name(),
        is_update: true,
        height: rows.len(),
        columns: columns.filter(|column| !column.values.is_empty()).collect(),
    }
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
    let writes: Vec<_> = writes.into_iter().filter(|write| write.height > 0).collect();
    if writes.iter().any(Write::is_ragged) {
        return Err(unfit("the rows of one write set different columns"));
    }
    if backend != DbBackend::Postgres {
        for write in writes {
            let (text, document) = (write.text(&write.json_source()), write.document()?);
            let statement = Statement::from_sql_and_values(backend, text, [document.into()]);
            db.execute_raw(statement).await?;
        }
        return Ok(());
    }
    let (mut texts, mut values) = (Vec::new(), Vec::new());
    for write in writes {
        texts.push(write.text(&write.array_source(values.len() + 1)));
        for column in write.columns {
            values.push(column.into_array()?);
        }
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

impl Write {
    /// Whether a column has no value for some row.
    fn is_ragged(&self) -> bool {
        self.columns.iter().any(|column| column.values.len() != self.height)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// The statement, given the rows as a table source named `r` with the columns' names.
    fn text(&self, source: &str) -> String {
        let (table, names) = (self.table, self.names());
        if !self.is_update {
            return format!("INSERT INTO {table} ({names}) SELECT {names} FROM {source}");
        }
        let (keys, set): (Vec<_>, Vec<_>) = self.columns.iter().partition(|column| column.is_key);
        let set: Vec<_> =
            set.iter().map(|Column { name, .. }| format!("{name} = r.{name}")).collect();
        let keys: Vec<_> =
            keys.iter().map(|Column { name, .. }| format!("{table}.{name} = r.{name}")).collect();
        let (set, keys) = (set.join(", "), keys.join(" AND "));
        format!("UPDATE {table} SET {set} FROM {source} WHERE {keys}")
    }

    /// On Postgres: arrays, with their parameters from `first` on.
    fn array_source(&self, first: usize) -> String {
        let arrays = (first..).zip(&self.columns).map(|(place, column)| column.cast(place));
        format!("unnest({}) AS r ({})", arrays.collect::<Vec<_>>().join(", "), self.names())
    }

    /// On SQLite: a JSON document of rows, each an array.
    fn json_source(&self) -> String {
        let columns = self.columns.iter().enumerate().map(|(place, column)| {
            let name = column.name;
            match column.values.first() {
                Some(Value::Uuid(_)) => format!("unhex(value ->> {place}) AS {name}"),
                _ => format!("value ->> {place} AS {name}"),
            }
        });
        format!("(SELECT {} FROM json_each($1)) AS r", columns.collect::<Vec<_>>().join(", "))
    }

    fn document(&self) -> Result<String, DbErr> {
        let mut text = String::from("[");
        for row in 0..self.height {
            text.push_str(if row == 0 { "[" } else { ",[" });
            for (place, column) in self.columns.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                push_json(&mut text, column.values.get(row).unwrap_or(&Value::Bool(None)))?;
            }
            text.push(']');
        }
        text.push(']');
        Ok(text)
    }
}

impl Column {
    fn of<E: EntityTrait>(column: E::Column, values: impl Iterator<Item = Value>) -> Self {
        Self {
            name: column.as_str(),
            is_key: E::PrimaryKey::from_column(column).is_some(),
            is_nullable: column.def().is_null(),
            values: values.collect(),
        }
    }

    /// On Postgres, its parameter as an array of its type.
    fn cast(&self, place: usize) -> String {
        let kind = match self.values.first() {
            Some(Value::Uuid(_)) => "uuid",
            Some(Value::BigInt(_)) => "int8",
            Some(Value::Int(_)) => "int4",
            Some(Value::Bool(_)) => "bool",
            Some(Value::ChronoDateTimeUtc(_)) => "timestamptz",
            _ => "text",
        };
        match self.is_nullable {
            false => format!("${place}::{kind}[]"),
            true => format!("${place}::text::{kind}[]"),
        }
    }

    /// On Postgres, its values: an array, or the text of one where there may be NULLs, which the
    /// driver's arrays do not hold.
    fn into_array(self) -> Result<Value, DbErr> {
        if self.is_nullable {
            return array_text(&self.values).map(Value::from);
        }
        let element = match self.values.first() {
            Some(Value::Uuid(_)) => ArrayType::Uuid,
            Some(Value::BigInt(_)) => ArrayType::BigInt,
            Some(Value::Int(_)) => ArrayType::Int,
            Some(Value::Bool(_)) => ArrayType::Bool,
            Some(Value::String(_)) => ArrayType::String,
            Some(Value::ChronoDateTimeUtc(_)) => ArrayType::ChronoDateTimeUtc,
            _ => return Err(unfit("a column of no type that is written set-wise")),
        };
        Ok(Value::Array(element, Some(Box::new(self.values))))
    }
}

/// An array as Postgres writes it.
fn array_text(values: &[Value]) -> Result<String, DbErr> {
    let mut text = String::from("{");
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        match value {
            Value::String(Some(value)) => {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                put(&mut text, format_args!("\"{escaped}\""))?;
            }
            Value::ChronoDateTimeUtc(Some(at)) => put(&mut text, format_args!("\"{}\"", time(at)))?,
            Value::Uuid(Some(id)) => put(&mut text, format_args!("{}", id.simple()))?,
            Value::BigInt(Some(n)) => put(&mut text, format_args!("{n}"))?,
            Value::Int(Some(n)) => put(&mut text, format_args!("{n}"))?,
            Value::Bool(Some(is)) => put(&mut text, format_args!("{is}"))?,
            _ => text.push_str("NULL"),
        }
    }
    text.push('}');
    Ok(text)
}

fn push_json(text: &mut String, value: &Value) -> Result<(), DbErr> {
    match value {
        Value::String(Some(value)) => {
            put(text, format_args!("{}", serde_json::Value::from(value.as_str())))
        }
        Value::ChronoDateTimeUtc(Some(at)) => put(text, format_args!("\"{}\"", time(at))),
        Value::Uuid(Some(id)) => put(text, format_args!("\"{}\"", id.simple())),
        Value::BigInt(Some(n)) => put(text, format_args!("{n}")),
        Value::Int(Some(n)) => put(text, format_args!("{n}")),
        Value::Bool(Some(is)) => put(text, format_args!("{}", u8::from(*is))),
        _ => put(text, format_args!("null")),
    }
}

/// As SQLite's driver writes a time, so that texts compare as times do.
fn time(at: &entity::Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

fn put(text: &mut String, more: std::fmt::Arguments<'_>) -> Result<(), DbErr> {
    text.write_fmt(more).map_err(|_| unfit("a value that cannot be written"))
}

fn unfit(what: &str) -> DbErr {
    DbErr::Custom(format!("a set-wise write: {what}"))
}
