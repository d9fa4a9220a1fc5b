//! The table of documents.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use crate::error::{Damage, Refusal};
use crate::limits::DOCUMENT_BYTES_MAX;

pub(super) fn put(connection: &Connection, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    Refusal::name("document", name)?;
    Refusal::over("bytes in a document", bytes.len(), DOCUMENT_BYTES_MAX)?;
    let sql = "INSERT INTO document (name, content, checksum) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET content = excluded.content, checksum = excluded.checksum";
    connection.prepare_cached(sql)?.execute(params![name, bytes, checksum(name, bytes)])?;
    Ok(())
}

pub(super) fn get(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let sql = "SELECT content, checksum FROM document WHERE name = ?1";
    let decode = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?));
    match connection.prepare_cached(sql)?.query_row([name], decode).optional()? {
        None => Ok(None),
        Some((bytes, stored)) if stored == i64::from(checksum(name, &bytes)) => Ok(Some(bytes)),
        Some(_) => Err(Damage::document(name).into()),
    }
}

fn checksum(name: &str, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(bytes);
    hasher.finalize()
}
