//! The folder of the demo. It deletes nothing but its own database, and only where a marker says
//! that a demo made the folder; a lock on the marker keeps two demos apart.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use super::{Failure, text};
use crate::config::DatabaseConfig;

const MARKER: &str = "made-by-neighborbid-demo";
const DATABASE: &str = "neighborbid-demo.db";
/// What SQLite puts beside its file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

const NOTE: &str =
    "Made by `neighborbid demo`. Each start deletes the database beside this file.\n";

/// A folder that is ours for as long as this lives.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Locked.
    _marker: File,
}

impl Folder {
    /// Makes the folder, or takes over what an earlier demo left, and empties it.
    ///
    /// # Errors
    /// When it holds anything that is not the demo's, or another demo runs in it.
    pub fn claim(path: &Path) -> Result<Self, Failure> {
        let name = || path.display().to_string();
        let failed = |error| Failure::Folder(name(), error);
        make_private(path).map_err(failed)?;
        if let Some(found) = foreign(path).map_err(failed)? {
            return Err(Failure::NotOurs { folder: name(), found });
        }
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let mut marker = options.open(path.join(MARKER)).map_err(failed)?;
        match marker.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure::Busy(name())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        marker.write_all(NOTE.as_bytes()).map_err(failed)?;
        for file in files() {
            match fs::remove_file(path.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(failed(error));
                }
                _ => {}
            }
        }
        Ok(Self { path: path.to_owned(), _marker: marker })
    }

    /// Where the database is, as `--database-url` wants it.
    pub fn database_url(&self) -> String {
        let file = self.path.join(DATABASE);
        let file = text::escaped(file.as_os_str().as_encoded_bytes(), b"/");
        format!("sqlite://{file}?mode=rwc")
    }

    /// The database's settings.
    pub fn database(&self) -> DatabaseConfig {
        DatabaseConfig {
            database_url: self.database_url(),
            write_connections: 1,
            read_connections: 4,
            reserved_connections: 2,
            heavy_reads: 2,
            acquire_timeout_seconds: 10,
            read_wait_milliseconds: 2_000,
            statement_timeout_seconds: 30,
            lock_timeout_milliseconds: 1_000,
            idle_in_transaction_timeout_milliseconds: 2_000,
            commit_lookup_seconds: 30,
        }
    }

    /// Its path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the folder where there is none, so that only its owner may look into it.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

fn files() -> impl Iterator<Item = String> {
    let beside = BESIDE.map(|end| format!("{DATABASE}{end}"));
    std::iter::once(DATABASE.to_owned()).chain(beside)
}

/// What the folder holds that no demo made, if anything.
fn foreign(path: &Path) -> std::io::Result<Option<String>> {
    let (mut is_marked, mut first) = (false, None);
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_file = entry.file_type()?.is_file();
        if is_file && name == MARKER {
            is_marked = true;
        } else if !is_file || !files().any(|file| file == name) {
            return Ok(Some(name));
        } else {
            first = Some(name);
        }
    }
    // Files with the names of ours, but nothing that says so.
    Ok(first.filter(|_| !is_marked))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder's path, of which nothing is there yet.
    fn fresh() -> PathBuf {
        std::env::temp_dir().join(format!("neighborbid-{}", uuid::Uuid::now_v7()))
    }

    #[test]
    fn a_second_start_begins_afresh() {
        let path = fresh();
        let folder = Folder::claim(&path).unwrap();
        fs::write(path.join(DATABASE), "old").unwrap();
        fs::write(path.join(format!("{DATABASE}-wal")), "old").unwrap();
        drop(folder);
        let folder = Folder::claim(&path).unwrap();
        assert!(!path.join(DATABASE).exists());
        assert!(matches!(Folder::claim(&path), Err(Failure::Busy(_))));
        drop(folder);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn what_is_not_the_demos_is_never_touched() {
        for name in ["notes.txt", DATABASE] {
            let path = fresh();
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join(name), "mine").unwrap();
            assert!(matches!(Folder::claim(&path), Err(Failure::NotOurs { .. })));
            assert_eq!(fs::read(path.join(name)).unwrap(), b"mine");
            assert!(!path.join(MARKER).exists());
            fs::remove_dir_all(path).unwrap();
        }
    }
}
