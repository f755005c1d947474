//! Documents that were read lately: clients send the same few again and again, and reading one is
//! a large part of answering it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::parser::types::ExecutableDocument;

use super::{
    document::{self, DocumentLimits},
    root_field,
};

/// How many documents are kept; beyond it all are forgotten, and read again as they are used.
const MOST: usize = 1_000;

/// The longest text that is kept, in bytes.
const LONGEST: usize = 8_192;

/// Reads documents, and remembers them.
#[derive(Debug)]
pub struct Documents {
    limits: DocumentLimits,
    known: Mutex<HashMap<String, Arc<ExecutableDocument>>>,
}

impl Documents {
    /// Reads within these limits.
    pub fn new(limits: DocumentLimits) -> Arc<Self> {
        Arc::new(Self { limits, known: Mutex::default() })
    }

    /// A document, ready to be run.
    ///
    /// # Errors
    /// With a sentence for the client, when it is no document or asks for too much. That is never
    /// remembered.
    pub fn read(&self, text: &str) -> Result<Arc<ExecutableDocument>, String> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = known().get(text) {
            return Ok(Arc::clone(document));
        }
        let mut document = document::parse(text, self.limits)?;
        root_field::flatten(&mut document)?;
        let document = Arc::new(document);
        if text.len() <= LONGEST {
            let mut known = known();
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(text.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_once_and_a_refusal_every_time() {
        let documents = Documents::new(DocumentLimits { aliases: 1, fields: 2 });
        let [first, again] = [(); 2].map(|()| documents.read("{ a b }").unwrap());
        assert!(Arc::ptr_eq(&first, &again));
        for _ in 0..2 {
            assert!(documents.read("{ a b c }").is_err());
            assert!(documents.read("{").is_err());
        }
        assert_eq!(documents.known.lock().unwrap().len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let documents = Documents::new(DocumentLimits { aliases: 1, fields: 2 });
        for number in 0..=MOST {
            documents.read(&format!("{{ a{number} }}")).unwrap();
        }
        let long = format!("{{ a }} #{}", "x".repeat(LONGEST));
        documents.read(&long).unwrap();
        assert_eq!(documents.known.lock().unwrap().len(), 1);
    }
}
