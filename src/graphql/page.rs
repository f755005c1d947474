//! Relay's paging arguments, and connections from pages.

use async_graphql::{
    Error, OutputType,
    connection::{Connection, CursorType, Edge, OpaqueCursor},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{Code, coded},
    price,
};
use crate::engine::Page;

/// How many rows a page has when the client does not say.
const DEFAULT_SIZE: i32 = price::PAGE as i32;

/// How many rows a page may have.
const MAX_SIZE: i32 = price::LARGEST_PAGE as i32;

/// `first`, `after`, `last` and `before` as the client gave them.
#[derive(Debug, Default)]
pub struct PageArgs {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
}

impl PageArgs {
    /// Checked, with decoded cursors.
    pub fn page<C: Serialize + DeserializeOwned>(self) -> Result<Page<C>, Error> {
        let (size, backwards) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(coded(Code::BadUserInput, "Give first or last, not both."));
            }
            (None, Some(last)) => (last, true),
            (first, None) => (first.unwrap_or(DEFAULT_SIZE), false),
        };
        if !(1..=MAX_SIZE).contains(&size) {
            let message = format!("first and last lie between 1 and {MAX_SIZE}.");
            return Err(coded(Code::BadUserInput, message));
        }
        Ok(Page {
            after: cursor(self.after, "after")?,
            before: cursor(self.before, "before")?,
            size: size.unsigned_abs(),
            backwards,
        })
    }
}

fn cursor<C: Serialize + DeserializeOwned>(
    text: Option<String>,
    name: &str,
) -> Result<Option<C>, Error> {
    let decode = |text: String| OpaqueCursor::<C>::decode_cursor(&text);
    let cursor = text.map(decode).transpose();
    let wrong = |_| coded(Code::BadUserInput, format!("{name} is not a cursor of this list."));
    Ok(cursor.map_err(wrong)?.map(|cursor| cursor.0))
}

/// A connection of the rows that `page` fetched.
pub fn connection<C, R, N>(
    page: &Page<C>,
    fetched: Vec<R>,
    cursor: impl Fn(&R) -> C,
    node: impl Fn(R) -> N,
) -> Connection<String, N>
where
    C: Serialize + DeserializeOwned,
    N: OutputType,
{
    let (rows, has_previous, has_next) = page.cut(fetched);
    let mut connection = Connection::new(has_previous, has_next);
    connection.edges = rows
        .into_iter()
        .map(|row| Edge::new(OpaqueCursor(cursor(&row)).encode_cursor(), node(row)))
        .collect();
    connection
}
