//! A page of a list, by cursors on both sides, as Relay asks for it.

/// What part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Page<C> {
    /// Only what follows it.
    pub after: Option<C>,
    /// Only what precedes it.
    pub before: Option<C>,
    /// How many at most.
    pub size: u32,
    /// Counted from the end of the list: rows come in reverse.
    pub backwards: bool,
}

impl<C> Page<C> {
    /// How many rows to fetch: one more than wanted tells whether there are more.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Puts fetched rows in the list's order, and says whether there are rows before and after.
    #[must_use]
    pub fn cut<T>(&self, mut rows: Vec<T>) -> (Vec<T>, bool, bool) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        if self.backwards {
            rows.reverse();
            (rows, more, self.before.is_some())
        } else {
            (rows, self.after.is_some(), more)
        }
    }
}
