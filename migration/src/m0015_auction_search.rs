//! An index of what auctions say: of every one, two and three letters in a row of a text, of any
//! script, so that a word is found wherever it stands and one Hangul syllable is found at all.
//!
//! It is a table of its own, which triggers keep: a bid changes indexed columns of its auction's
//! row, and on Postgres would write every index of that table anew. Neither `pg_trgm` nor FTS5's
//! own trigrams serve: they find nothing shorter than three letters, and `pg_trgm` sees Hangul only
//! where the database's locale does.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

use crate::sql;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The function costs much for a text, so the planner is not to pass the index by, and ANALYZE is
/// not to call it for a sample of all texts. Triggers
/// fire always: also for rows that are copied or filled in with other triggers at rest. The trigger
/// comes before the rows: nobody writes auctions until it is committed, so none is left out.
const POSTGRES: &str = r#"
CREATE FUNCTION search_grams(TEXT) RETURNS TEXT[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
  SELECT COALESCE(array_agg(DISTINCT gram COLLATE "C"), '{}')
  FROM (SELECT string_to_array($1, NULL) AS letters) AS said,
    LATERAL unnest(letters, letters[2:], letters[3:]) AS near (a, b, c),
    LATERAL unnest(ARRAY[a, a || b, a || b || c]) AS grams (gram)
  WHERE strpos(gram, ' ') = 0 AND strpos(gram, E'\n') = 0
$$;
CREATE TABLE auction_search (
  auction_id UUID NOT NULL PRIMARY KEY REFERENCES auctions (id) ON DELETE CASCADE,
  text TEXT NOT NULL
);
CREATE FUNCTION keep_auction_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO auction_search (auction_id, text) VALUES (NEW.id, NEW.search_text)
    ON CONFLICT (auction_id) DO UPDATE SET text = EXCLUDED.text;
  RETURN NULL;
END $$;
CREATE TRIGGER auctions_search AFTER INSERT OR UPDATE OF search_text ON auctions
  FOR EACH ROW EXECUTE FUNCTION keep_auction_search();
ALTER TABLE auctions ENABLE ALWAYS TRIGGER auctions_search;
INSERT INTO auction_search (auction_id, text) SELECT id, search_text FROM auctions
  ON CONFLICT (auction_id) DO NOTHING;
CREATE INDEX auction_search_grams ON auction_search USING GIN (search_grams(text));
ALTER INDEX auction_search_grams ALTER COLUMN 1 SET STATISTICS 0;
"#;

/// FTS5 keeps which rows have which grams, each gram as the hexadecimal digits of its letters, and
/// no text. VACUUM may give `auctions` other row numbers, hence numbers of our own.
const SQLITE: &str = "
CREATE TABLE auction_search (
  row INTEGER PRIMARY KEY,
  auction_id BLOB NOT NULL UNIQUE REFERENCES auctions (id) ON DELETE CASCADE
) STRICT;
CREATE VIRTUAL TABLE auction_grams USING fts5 (
  grams, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
INSERT INTO auction_search (auction_id) SELECT id FROM auctions ORDER BY id;
INSERT INTO auction_grams (rowid, grams)
  SELECT s.row, {grams of a.search_text}
  FROM auction_search s JOIN auctions a ON a.id = s.auction_id;
CREATE TRIGGER auctions_search_insert AFTER INSERT ON auctions BEGIN
  INSERT INTO auction_search (auction_id) VALUES (NEW.id);
  INSERT INTO auction_grams (rowid, grams)
    SELECT row, {grams of NEW.search_text} FROM auction_search WHERE auction_id = NEW.id;
END;
CREATE TRIGGER auctions_search_update AFTER UPDATE OF search_text ON auctions BEGIN
  DELETE FROM auction_grams
    WHERE rowid = (SELECT row FROM auction_search WHERE auction_id = NEW.id);
  INSERT INTO auction_grams (rowid, grams)
    SELECT row, {grams of NEW.search_text} FROM auction_search WHERE auction_id = NEW.id;
END;
CREATE TRIGGER auction_search_delete AFTER DELETE ON auction_search BEGIN
  DELETE FROM auction_grams WHERE rowid = OLD.row;
END;
";

/// The grams of a text on SQLite: of each block of 64 letters, which the first two of the next one
/// follow, so that the work grows as the text does.
fn grams_of(text: &str) -> String {
    format!(
        "(WITH RECURSIVE blocks (block, rest) AS (
            SELECT substr({text}, 1, 66), substr({text}, 65)
            UNION ALL SELECT substr(rest, 1, 66), substr(rest, 65) FROM blocks WHERE rest <> ''),
          places (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM places WHERE n < 64),
          sizes (size) AS (VALUES (1), (2), (3)),
          grams (gram) AS (
            SELECT DISTINCT substr(block, n, size) FROM blocks, places, sizes)
          SELECT COALESCE(group_concat(hex(gram)), '') FROM grams
          WHERE gram <> '' AND instr(gram, ' ') = 0 AND instr(gram, char(10)) = 0)"
    )
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES.to_owned(),
            _ => {
                ["a.search_text", "NEW.search_text"].iter().fold(SQLITE.to_owned(), |sql, text| {
                    sql.replace(&format!("{{grams of {text}}}"), &grams_of(text))
                })
            }
        };
        sql::run(manager, &text).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let text = match manager.get_database_backend() {
            DbBackend::Postgres => {
                "DROP TRIGGER auctions_search ON auctions;
                 DROP FUNCTION keep_auction_search();
                 DROP TABLE auction_search;
                 DROP FUNCTION search_grams(TEXT);"
            }
            _ => {
                "DROP TRIGGER auctions_search_insert;
                 DROP TRIGGER auctions_search_update;
                 DROP TRIGGER auction_search_delete;
                 DROP TABLE auction_grams;
                 DROP TABLE auction_search;"
            }
        };
        sql::run(manager, text).await
    }
}
