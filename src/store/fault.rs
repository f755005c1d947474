//! What a failure of the database means: whether the same may work again, and when.

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, sqlx};

use super::probe::READ_ONLY;

/// What a failure means for a transaction that had not been asked to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It lost against a rival: a deadlock, a serialization failure, SQLite's write lock.
    Contention,
    /// A row is held by somebody else for longer than we wait.
    Locked,
    /// The connection broke, or could not be made.
    Connection,
    /// No connection became free in time.
    Busy,
    /// Nothing can be written: the disk is full, read-only or broken, or it is a standby.
    Unwritable,
    /// A statement took longer than it may.
    Timeout,
    /// It will fail again.
    Lasting,
}

impl Fault {
    /// Reads it from the driver's error.
    #[must_use]
    pub fn of(error: &DbErr) -> Self {
        let cause = match error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => cause.as_ref(),
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => return Self::Busy,
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => return Self::Connection,
            DbErr::Custom(text) if text == SILENCE => return Self::Connection,
            DbErr::Custom(text) if [MOVED, READ_ONLY].contains(&text.as_str()) => {
                return Self::Unwritable;
            }
            _ => return Self::Lasting,
        };
        match cause {
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed => Self::Connection,
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some(code) if code.len() == 5 => Self::of_postgres(code),
                Some(code) => code.parse().map_or(Self::Lasting, Self::of_sqlite),
                None => Self::Lasting,
            },
            _ => Self::Lasting,
        }
    }

    fn of_postgres(code: &str) -> Self {
        match code {
            "40001" | "40P01" => Self::Contention,
            "55P03" => Self::Locked,
            "57014" => Self::Timeout,
            // The server shuts down, restarts, or closed the connection; the last one because
            // this process had kept silent in a transaction (it was stopped, say).
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Self::Connection,
            _ if code.starts_with("08") => Self::Connection,
            // A standby, a full disk, memory, a broken disk.
            "25006" | "53100" | "53200" | "58030" => Self::Unwritable,
            "53300" => Self::Busy,
            _ => Self::Lasting,
        }
    }

    /// By SQLite's primary code, which an extended one has in its low byte.
    fn of_sqlite(code: u32) -> Self {
        match code & 0xff {
            // BUSY, LOCKED
            5 | 6 => Self::Contention,
            // READONLY, IOERR, FULL, CANTOPEN
            8 | 10 | 13 | 14 => Self::Unwritable,
            _ => Self::Lasting,
        }
    }
}

/// The error of a connection that did not answer for too long.
pub(super) const SILENCE: &str = "a connection did not answer";

/// The error of a database file that was moved or deleted while it is in use.
pub(super) const MOVED: &str = "the database's file was moved, replaced or deleted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_say_what_may_work_again() {
        for (code, fault) in [
            ("55P03", Fault::Locked),
            ("25P03", Fault::Connection),
            ("08006", Fault::Connection),
            ("53100", Fault::Unwritable),
            ("25006", Fault::Unwritable),
            ("23514", Fault::Lasting),
        ] {
            assert_eq!(Fault::of_postgres(code), fault, "{code}");
        }
        for (code, fault) in [
            (5, Fault::Contention),
            (517, Fault::Contention),
            (13, Fault::Unwritable),
            (778, Fault::Unwritable),
            (1_032, Fault::Unwritable),
            (1_034, Fault::Unwritable),
            (787, Fault::Lasting),
        ] {
            assert_eq!(Fault::of_sqlite(code), fault, "{code}");
        }
    }
}
