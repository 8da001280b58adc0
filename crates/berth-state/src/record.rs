//! Records, and the two ways to reach them: a [`Reader`] and a [`Transaction`].

use std::ops::Deref;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Result};

/// A type of its own for what lies on disk: never the wire's, never the one in memory.
pub trait Record: Serialize + DeserializeOwned {
    /// Names the family; never changes once released.
    const KIND: &'static str;
    /// Goes up by one whenever an older program could no longer read what this one writes.
    const VERSION: u32;

    /// Brings a body of an older `version` to [`Self::VERSION`]. Called only for older bodies: newer ones are refused.
    ///
    /// # Errors
    /// [`Error::Migrate`] where that version cannot be read.
    fn migrate(version: u32, body: Value) -> Result<Value> {
        let _ = body;
        Err(Error::Migrate {
            kind: Self::KIND,
            found: version,
            known: Self::VERSION,
            reason: "no migration is known".into(),
        })
    }
}

/// One consistent view of the store.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(crate) connection: &'a Connection,
}

impl Reader<'_> {
    /// The record under `key`, where there is one.
    ///
    /// # Errors
    /// A body that is newer than this program, or not decodable, is an error and not an absence.
    pub fn get<R: Record>(&self, key: &str) -> Result<Option<R>> {
        let row = self
            .connection
            .prepare_cached("SELECT version, body FROM record WHERE kind = ?1 AND key = ?2")
            .and_then(|mut statement| {
                statement
                    .query_row((R::KIND, key), |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)))
                    .optional()
            })
            .map_err(Error::statement("reading a record"))?;
        row.map(|(version, body)| decode(key, version, &body)).transpose()
    }

    /// Whether there is a record under `key`, of whatever version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn exists<R: Record>(&self, key: &str) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM record WHERE kind = ?1 AND key = ?2")
            .and_then(|mut statement| statement.exists((R::KIND, key)))
            .map_err(Error::statement("looking for a record"))
    }

    /// Every record of the kind with its key, ordered by key.
    ///
    /// # Errors
    /// As [`Self::get`], for the first record that cannot be read.
    pub fn list<R: Record>(&self) -> Result<Vec<(String, R)>> {
        self.list_prefix("")
    }

    /// Every record of the kind whose key begins with `prefix`, ordered by key.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub fn list_prefix<R: Record>(&self, prefix: &str) -> Result<Vec<(String, R)>> {
        let doing = "listing records";
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT key, version, body FROM record \
                 WHERE kind = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
            )
            .map_err(Error::statement(doing))?;
        let rows = statement
            .query_map((R::KIND, prefix), |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?))
            })
            .map_err(Error::statement(doing))?;
        let mut records = Vec::new();
        for row in rows {
            let (key, version, body) = row.map_err(Error::statement(doing))?;
            let record = decode(&key, version, &body)?;
            records.push((key, record));
        }
        Ok(records)
    }
}

fn decode<R: Record>(key: &str, version: u32, body: &str) -> Result<R> {
    let undecodable = |source| Error::Decode { kind: R::KIND, key: key.to_owned(), source };
    if version > R::VERSION {
        return Err(Error::NewerRecord { kind: R::KIND, key: key.to_owned(), found: version, known: R::VERSION });
    }
    if version == R::VERSION {
        return serde_json::from_str(body).map_err(undecodable);
    }
    let old = serde_json::from_str(body).map_err(undecodable)?;
    serde_json::from_value(R::migrate(version, old)?).map_err(undecodable)
}

/// A write in progress: all of it becomes visible, or nothing. Reads through it see what it wrote.
#[derive(Debug)]
pub struct Transaction<'a> {
    pub(crate) reader: Reader<'a>,
}

impl<'a> Deref for Transaction<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

impl Transaction<'_> {
    /// Writes `record` under `key`, over what was there.
    ///
    /// # Errors
    /// When it cannot be encoded or written.
    pub fn put<R: Record>(&mut self, key: &str, record: &R) -> Result<()> {
        let body = serde_json::to_string(record).map_err(|source| Error::Encode {
            kind: R::KIND,
            key: key.to_owned(),
            source,
        })?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO record (kind, key, version, body) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute((R::KIND, key, R::VERSION, body)))
            .map_err(Error::statement("writing a record"))?;
        Ok(())
    }

    /// Removes the record under `key`; tells whether there was one.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn delete<R: Record>(&mut self, key: &str) -> Result<bool> {
        self.connection
            .prepare_cached("DELETE FROM record WHERE kind = ?1 AND key = ?2")
            .and_then(|mut statement| statement.execute((R::KIND, key)))
            .map(|removed| removed > 0)
            .map_err(Error::statement("deleting a record"))
    }
}
