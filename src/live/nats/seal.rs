//! The seal on every message between nodes: an HMAC-SHA256 over its subject, its sender, its
//! number, its time and what it says, with the secret that the nodes share. Who can publish on
//! NATS and does not have the secret can say nothing here.
//!
//! A message is 32 bytes of seal, 16 of sender, 8 of number, 8 of milliseconds since 1970, and
//! the JSON of what it says; numbers are big-endian.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use sha2::Sha256;
use uuid::Uuid;

use super::secret::Secret;

/// What the seal is over first, so that it is good for nothing else.
const LABEL: &[u8] = b"neighborbid bus 1";

const SEAL: usize = 32;
const HEAD: usize = SEAL + 16 + 8 + 8;

/// Seals messages, and knows those that are sealed with the same secret.
#[derive(Clone)]
pub(super) struct Seal(Hmac<Sha256>);

/// A message whose seal is right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sealed<'a> {
    /// The process that sent it.
    pub sender: Uuid,
    /// Its number among all that this process sent.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub sent: i64,
    /// What it says.
    pub said: &'a [u8],
}

impl Seal {
    /// With the secret that the nodes share.
    pub fn new(secret: &Secret) -> Result<Self, InvalidLength> {
        Hmac::new_from_slice(secret.expose().as_bytes()).map(Self)
    }

    fn over(&self, subject: &str, rest: &[u8]) -> Hmac<Sha256> {
        let mut seal = self.0.clone();
        seal.update(LABEL);
        // No byte of the subject can pass for one of what follows.
        seal.update(&(subject.len() as u64).to_be_bytes());
        seal.update(subject.as_bytes());
        seal.update(rest);
        seal
    }

    /// The message that says so on `subject`.
    pub fn put(&self, subject: &str, sealed: &Sealed<'_>) -> Vec<u8> {
        let mut message = Vec::with_capacity(HEAD + sealed.said.len());
        message.extend([0; SEAL]);
        message.extend(sealed.sender.as_bytes());
        message.extend(sealed.number.to_be_bytes());
        message.extend(sealed.sent.to_be_bytes());
        message.extend(sealed.said);
        let seal = self.over(subject, &message[SEAL..]).finalize().into_bytes();
        message[..SEAL].copy_from_slice(&seal);
        message
    }

    /// What a message on `subject` says; `None` when its seal is wrong. In constant time.
    pub fn open<'a>(&self, subject: &str, message: &'a [u8]) -> Option<Sealed<'a>> {
        let (seal, rest) = message.split_at_checked(SEAL)?;
        self.over(subject, rest).verify_slice(seal).ok()?;
        let (sender, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (sent, said) = rest.split_first_chunk()?;
        Some(Sealed {
            sender: Uuid::from_bytes(*sender),
            number: u64::from_be_bytes(*number),
            sent: i64::from_be_bytes(*sent),
            said,
        })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: &str = "house.auction.1";

    fn seal(secret: &str) -> Seal {
        Seal::new(&secret.to_owned().into()).unwrap()
    }

    fn sealed() -> Sealed<'static> {
        Sealed { sender: Uuid::from_u128(7), number: 3, sent: -5, said: b"said" }
    }

    #[test]
    fn what_was_sealed_is_opened_on_its_own_subject_alone() {
        let message = seal("a").put(SUBJECT, &sealed());
        assert_eq!(seal("a").open(SUBJECT, &message), Some(sealed()));
        assert_eq!(seal("b").open(SUBJECT, &message), None);
        for other in ["house.auction.2", "house.auction.", "house.auction.1\0", ""] {
            assert_eq!(seal("a").open(other, &message), None, "{other}");
        }
    }

    #[test]
    fn a_message_with_any_bit_changed_or_any_byte_missing_is_refused() {
        let message = seal("a").put(SUBJECT, &sealed());
        for bit in 0..message.len() * 8 {
            let mut other = message.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(seal("a").open(SUBJECT, &other), None, "bit {bit}");
        }
        for length in 0..message.len() {
            assert_eq!(seal("a").open(SUBJECT, &message[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_seal_shows_nothing_of_its_secret() {
        assert_eq!(format!("{:?}", seal("hunter2")), "Seal { .. }");
    }
}
