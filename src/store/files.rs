//! SQLite's files: that they are still those which were opened. Somebody who moves or deletes
//! the database's file, or its `-wal`, under a running server would have what is committed from
//! then on go into a file that nobody finds again; SQLite itself does not look.

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use sea_orm::{DbErr, sqlx::sqlite::SqliteConnectOptions};

use super::fault::MOVED;

/// The file of a SQLite database, where there is none yet.
#[must_use]
pub fn missing_file(url: &str) -> Option<PathBuf> {
    let file = of_url(url)?;
    (!file.exists()).then_some(file)
}

/// Makes the file of a new SQLite database, so that only its owner may read it: SQLite makes the
/// files beside it alike. Where it may not make one, it says so itself.
pub(super) fn make_private(url: &str) {
    if let Some(file) = missing_file(url).filter(|_| url.contains("mode=rwc")) {
        let mut options = std::fs::File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let _ = options.open(file);
    }
}

fn of_url(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    Some(options.get_filename().to_owned())
}

/// The files of a database, as they were when it was opened.
#[derive(Debug)]
pub struct Files {
    known: Vec<(PathBuf, Identity)>,
}

/// Which file it is, whatever its name.
type Identity = (u64, u64);

impl Files {
    /// Those of an open database in WAL mode.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let mut wal = database.as_os_str().to_owned();
        wal.push("-wal");
        let known = [database.to_owned(), wal.into()].into_iter().map(|path| {
            let identity = identity(&path)?;
            Ok((path, identity))
        });
        Ok(Self { known: known.collect::<io::Result<_>>()? })
    }

    /// # Errors
    /// When one of the files was moved, replaced or deleted.
    pub fn check(&self) -> Result<(), DbErr> {
        let is_there = |(path, known): &(PathBuf, Identity)| {
            identity(path).is_ok_and(|identity| identity == *known)
        };
        match self.known.iter().all(is_there) {
            true => Ok(()),
            false => Err(DbErr::Custom(MOVED.to_owned())),
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Where files have no number, it is enough that there is one of that name.
#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|_| (0, 0))
}
